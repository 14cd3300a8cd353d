"""One adapter per optimizer, by the name it has in the tables.

An adapter is made with (space, seed, budget, parallel, noisy), has ask() -> params (active ones only, and it
remembers what they were), tell(params, loss), and may have recommend() -> params for noisy problems. All that
it needs is imported inside, because peers live in environments of their own.
"""

import importlib

# name in the tables -> (module, class, environment it runs in, whether an ask takes over 100 ms)
OPTIMIZERS = {
    "betatune": ("betatune_", "Betatune", "a", False),
    "random": ("baselines", "Random", "a", False),
    "sobol": ("baselines", "Sobol", "a", False),
    "optuna-tpe": ("optuna_", "Tpe", "a", False),
    "optuna-tpe-independent": ("optuna_", "IndependentTpe", "a", False),
    "optuna-gp": ("optuna_", "Gp", "a", False),
    "optuna-cmaes": ("optuna_", "CmaEs", "a", False),
    "botorch-logei": ("botorch_", "LogEi", "a", True),
    "botorch-qlognei": ("botorch_", "LogNei", "a", True),
    "ax": ("ax_", "Ax", "a", True),
    "smac": ("smac_", "Smac", "b", True),
    "ngopt": ("nevergrad_", "NgOpt", "b", False),
    "hyperopt": ("hyperopt_", "Hyperopt", "b", False),
    "hebo": ("hebo_", "Hebo", "c", True),
}


def load(name):
    module, cls, _, _ = OPTIMIZERS[name]
    return getattr(importlib.import_module(f"optimizers.{module}"), cls)


def flat_unit(space, params, rng):
    """params as a point for optimizers that see conditional spaces flat: inactive ones keep a drawn value."""
    return {p.name: params.get(p.name, p.sample(rng)) for p in space}
