import warnings


class Optuna:
    def __init__(self, space, seed, budget, parallel, noisy):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")
        self.optuna, self.space = optuna, space
        self.version = optuna.__version__
        self.study = optuna.create_study(sampler=self.sampler(seed, parallel, noisy))
        self.trials = []

    def suggest(self, trial, p):
        if p.choices and p.kind == "ordinal":
            return p.choices[trial.suggest_int(p.name, 0, len(p.choices) - 1)]
        if p.choices:
            return trial.suggest_categorical(p.name, p.choices)
        if p.kind == "int":
            return trial.suggest_int(p.name, int(p.low), int(p.high), log=p.log)
        return trial.suggest_float(p.name, p.low, p.high, log=p.log)

    def ask(self):
        trial, params = self.study.ask(), {}
        for p in self.space:  # define by run: conditional parameters are its own kind of space
            if not p.parent or params.get(p.parent) in p.parent_values:
                params[p.name] = self.suggest(trial, p)
        self.trials.append((trial, params))
        return params

    def tell(self, params, loss):
        where = next(i for i, (_, asked) in enumerate(self.trials) if asked is params)
        self.study.tell(self.trials.pop(where)[0], loss)


class Tpe(Optuna):
    """The default sampler: multivariate; grouped, which conditional spaces need."""

    def sampler(self, seed, parallel, noisy):
        conditional = any(p.parent for p in self.space)
        return self.optuna.samplers.TPESampler(seed=seed, multivariate=True, group=conditional,
                                               constant_liar=parallel > 1)


class IndependentTpe(Optuna):
    def sampler(self, seed, parallel, noisy):
        return self.optuna.samplers.TPESampler(seed=seed, multivariate=False, constant_liar=parallel > 1)


class Gp(Optuna):
    def sampler(self, seed, parallel, noisy):
        return self.optuna.samplers.GPSampler(seed=seed, deterministic_objective=not noisy)


class CmaEs(Optuna):
    def sampler(self, seed, parallel, noisy):
        return self.optuna.samplers.CmaEsSampler(seed=seed)
