import warnings

from . import Job


class Optuna:
    """TPE, Optuna's default sampler, with a pruner. A trial that is pruned never goes on, as in Optuna itself."""

    def __init__(self, space, seed, min_step, max_step, workers, **_):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")
        self.optuna, self.space, self.max = optuna, space, max_step
        self.version = optuna.__version__
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=workers > 1)
        # Hyperband draws a trial's bracket from the name of the study.
        self.study = optuna.create_study(study_name=f"bench-{seed}", sampler=sampler,
                                         pruner=self.pruner(min_step, max_step))
        self.params, self.pruned = {}, set()

    def pruner(self, min_step, max_step):
        return self.optuna.pruners.NopPruner()

    def suggest(self, trial, p):
        if p.choices and p.kind == "ordinal":
            return p.choices[trial.suggest_int(p.name, 0, len(p.choices) - 1)]
        if p.choices:
            return trial.suggest_categorical(p.name, p.choices)
        if p.kind == "int":
            return trial.suggest_int(p.name, int(p.low), int(p.high), log=p.log)
        return trial.suggest_float(p.name, p.low, p.high, log=p.log)

    def ask(self):
        trial = self.study.ask()
        params = {p.name: self.suggest(trial, p) for p in self.space}
        self.params[trial.number] = params
        return Job(params, self.max, key=trial)

    def report(self, job, step, loss):
        job.key.report(loss, step)
        if step < job.until and job.key.should_prune():
            self.pruned.add(job.key.number)
            return False
        return True

    def done(self, job, loss):
        if job.key.number in self.pruned:
            self.study.tell(job.key, state=self.optuna.trial.TrialState.PRUNED)
        else:
            self.study.tell(job.key, loss)

    def recommend(self):
        try:
            return self.params[self.study.best_trial.number]
        except ValueError:  # no trial is complete
            return None


class Tpe(Optuna):
    """Full trainings; the pruner's reports would only cost time."""

    def report(self, job, step, loss):
        return True


class Hyperband(Optuna):
    def pruner(self, min_step, max_step):
        return self.optuna.pruners.HyperbandPruner(min_resource=min_step, max_resource=max_step, reduction_factor=3)


class SuccessiveHalving(Optuna):
    def pruner(self, min_step, max_step):
        return self.optuna.pruners.SuccessiveHalvingPruner(min_resource=min_step, reduction_factor=3)
