import datetime
import logging
import warnings

import numpy as np

from . import Job


class Asha:
    """Syne Tune's ASHA, driven as its back ends do: trials run on and are stopped at rungs where they are not among
    the best third; none is paused. Its package calls the lowest loss of any step the best: no recommend() here."""

    searcher = "random_search"

    def __init__(self, space, seed, min_step, max_step, **_):
        from importlib.metadata import version

        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        import syne_tune.config_space as cs
        from syne_tune.backend.trial_status import Trial
        from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

        self.version, self.space, self.max, self.trial = version("syne-tune"), space, max_step, Trial
        np.random.seed(seed)  # what its brackets are drawn with
        axes = {}
        for p in space:
            if p.choices:
                axes[p.name] = (cs.ordinal if p.kind == "ordinal" else cs.choice)(list(p.choices))
            elif p.kind == "int":
                axes[p.name] = (cs.lograndint if p.log else cs.randint)(int(p.low), int(p.high))
            else:
                axes[p.name] = (cs.loguniform if p.log else cs.uniform)(p.low, p.high)
        self.asha = AsynchronousSuccessiveHalving(axes, metric="loss", time_attr="epoch", max_t=max_step,
                                                  grace_period=min_step, reduction_factor=3, random_seed=seed,
                                                  searcher=self.searcher)
        self.count, self.stopped = 0, set()

    def ask(self):
        suggestion = self.asha.suggest()
        trial = self.trial(self.count, suggestion.config, datetime.datetime.now())
        self.count += 1
        self.asha.on_trial_add(trial)
        params = {p.name: suggestion.config[p.name] for p in self.space}
        params = {k: (v.item() if hasattr(v, "item") else v) for k, v in params.items()}
        return Job(params, self.max, key=trial)

    def report(self, job, step, loss):
        if step == job.until:
            return True
        decision = self.asha.on_trial_result(job.key, {"loss": loss, "epoch": step})
        if decision != "CONTINUE":
            self.stopped.add(job.key.trial_id)
            self.asha.on_trial_remove(job.key)
        return decision == "CONTINUE"

    def done(self, job, loss):
        if job.key.trial_id not in self.stopped:
            self.asha.on_trial_complete(job.key, {"loss": loss, "epoch": job.until})


class AshaBore(Asha):
    """The same with BORE, its model-based searcher for ASHA."""

    searcher = "bore"
