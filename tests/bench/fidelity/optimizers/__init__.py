"""One adapter per optimizer, by the name it has in the tables.

An adapter is made with (space, seed, min_step, max_step, budget_epochs, workers, checkpoints) and has

  ask() -> Job or None       None: nothing to do before another result
  report(job, step, loss)    after each epoch; False stops the training there
  done(job, loss)            the job has come to `until`, or was stopped
  recommend() -> params      optional: what its package calls the best so far; None: nothing yet
  close()                    optional

All that it needs is imported inside, because peers live in environments of their own.
"""

import dataclasses
import importlib

# name in the tables -> (module, class, environment it runs in, whether it can have several jobs at once)
OPTIMIZERS = {
    "betatune": ("betatune_", "Betatune", "a", True),
    "random": ("baselines", "Random", "a", True),
    "one-epoch": ("baselines", "OneEpoch", "a", True),
    "optuna-tpe": ("optuna_", "Tpe", "a", True),
    "optuna-hyperband": ("optuna_", "Hyperband", "a", True),
    "optuna-halving": ("optuna_", "SuccessiveHalving", "a", True),
    "dehb": ("dehb_", "Dehb", "b", True),
    "smac-hyperband": ("smac_", "Smac", "b", False),
    "bohb": ("hpbandster_", "Bohb", "c", True),
    "syne-asha": ("syne_tune_", "Asha", "d", True),
    "syne-asha-bore": ("syne_tune_", "AshaBore", "d", True),
    "neps-hyperband": ("neps_", "Hyperband", "d", False),
    "neps-priorband": ("neps_", "Priorband", "d", False),
}


@dataclasses.dataclass(eq=False)
class Job:
    """Train `params` to step `until`. Steps up to `start` were reported before, by an earlier job of the trial."""

    params: dict
    until: int
    start: int = 0
    key: object = None


def load(name):
    module, cls, _, _ = OPTIMIZERS[name]
    return getattr(importlib.import_module(f"optimizers.{module}"), cls)
