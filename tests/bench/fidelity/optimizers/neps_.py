import logging
import warnings

import numpy as np

from . import Job


class Hyperband:
    """NePS by its ask and tell. It calls the lowest loss on any fidelity the best: no recommend() here. One job at a
    time: its ask reads all trials again. `ifbo` is left out, because it fetches its network when it is made."""

    algorithm = "hyperband"

    def __init__(self, space, seed, min_step, max_step, **_):
        from importlib.metadata import version

        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        import neps
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        np.random.seed(seed)
        import random

        random.seed(seed)
        self.version, self.space = version("neural-pipeline-search"), space
        axes = {"epoch": neps.HPOInteger(min_step, max_step, is_fidelity=True)}
        for p in space:
            if p.kind == "categorical":
                axes[p.name] = neps.HPOCategorical(list(p.choices))
            elif p.choices:  # it has no ordinals
                axes[p.name] = neps.HPOInteger(0, len(p.choices) - 1)
            elif p.kind == "int":
                axes[p.name] = neps.HPOInteger(int(p.low), int(p.high), log=p.log)
            else:
                axes[p.name] = neps.HPOFloat(p.low, p.high, log=p.log)
        self.neps = neps.AskAndTell(getattr(neps.algorithms, self.algorithm)(neps.SearchSpace(axes)))

    def ask(self):
        trial = self.neps.ask()
        params = {}
        for p in self.space:
            value = trial.config[p.name]
            value = value.item() if hasattr(value, "item") else value
            params[p.name] = p.choices[int(value)] if p.kind == "ordinal" else value
        return Job(params, int(trial.config["epoch"]), key=trial.id)

    def report(self, job, step, loss):
        return True

    def done(self, job, loss):
        self.neps.tell(job.key, float(loss))


class Priorband(Hyperband):
    """Without priors, which the problems do not have: it then draws uniformly and round the best so far."""

    algorithm = "priorband"
