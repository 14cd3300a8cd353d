"""Spaces in which parameters exist only under a condition."""

import numpy as np

from problem import Instance, problem
from problems.functions import random_place
from space import Parameter


@problem("branches", "conditional", "tune")
def branches(rng):
    """Four algorithms, each with parameters of its own and two that all share."""
    names = ("svm", "forest", "boosting", "network")
    dims = dict(zip(names, (2, 3, 4, 5)))
    own = {n: random_place(rng, dims[n]) for n in names}
    shared = {n: random_place(rng, 2) for n in names}
    floor = dict(zip(names, rng.permutation([0.0, 0.15, 0.3, 0.6])))
    space = [Parameter("model", "categorical", choices=names),
             Parameter("scale", "float", 0.0, 1.0), Parameter("mix", "float", 0.0, 1.0)]
    for n in names:
        space += [Parameter(f"{n}_{i}", "float", 0.0, 1.0, parent="model", parent_values=(n,))
                  for i in range(dims[n])]

    def truth(params):
        n = params["model"]
        u = np.array([params[f"{n}_{i}"] for i in range(dims[n])]) - own[n]
        s = np.array([params["scale"], params["mix"]]) - shared[n]
        return float(floor[n] + 3 * u @ u / dims[n] * 2 + 1.5 * s @ s + 0.8 * u[0] * s[0] + 0.8 * u[0] ** 2)

    return Instance(space, truth, 0.0)


@problem("layers", "conditional", "held")
def layers(rng):
    """Depth decides how many widths and rates there are; neighbouring layers should agree."""
    depth = int(rng.integers(2, 5))
    widths = rng.uniform(4.5, 8.5, 5)
    drops = rng.uniform(0.05, 0.45, 5)
    rate = rng.uniform(-3.5, -2)
    space = [Parameter("depth", "categorical", choices=(1, 2, 3, 4, 5)),
             Parameter("lr", "float", 1e-5, 1e-1, log=True)]
    for i in range(5):
        there = tuple(range(i + 1, 6))
        space.append(Parameter(f"width{i}", "int", 8, 1024, log=True, parent="depth", parent_values=there))
        space.append(Parameter(f"dropout{i}", "float", 0.0, 0.6, parent="depth", parent_values=there))

    def truth(params):
        n = params["depth"]
        w = np.log2([params[f"width{i}"] for i in range(n)]) - widths[:n]
        d = np.array([params[f"dropout{i}"] for i in range(n)]) - drops[:n]
        jump = np.diff(w)
        return float(0.3 * abs(n - depth) + 0.06 * (w @ w + 0.5 * jump @ jump) / n + 2 * d @ d / n
                     + 0.25 * (np.log10(params["lr"]) - rate - 0.1 * (depth - n)) ** 2)

    lowest = min(floor_at(truth, n, widths, drops, rate, depth) for n in range(1, 6))
    return Instance(space, truth, lowest)


def floor_at(truth, n, widths, drops, rate, depth):
    """The best of depth n: widths are whole numbers, so the ideal is rounded."""
    params = {"depth": n, "lr": float(10 ** (rate + 0.1 * (depth - n)))}
    for i in range(n):
        params[f"width{i}"] = int(round(2 ** widths[i]))
        params[f"dropout{i}"] = float(drops[i])
    return truth(params)


@problem("optimizer-choice", "conditional", "held")
def optimizer_choice(rng):
    """sgd has a momentum, adam two betas; the momentum may be switched off; the good rates differ."""
    sgd_rate, adam_rate = rng.uniform(-2.2, -1.0), rng.uniform(-4.0, -2.8)
    best_momentum, best_beta = rng.uniform(0.8, 0.95), rng.uniform(-2.6, -1.2)
    sgd_gap, adam_gap = rng.permutation([0.0, 0.12])
    space = [
        Parameter("optimizer", "categorical", choices=("sgd", "adam")),
        Parameter("lr", "float", 1e-6, 1e1, log=True),
        Parameter("momentum_on", "categorical", choices=("yes", "no"), parent="optimizer", parent_values=("sgd",)),
        Parameter("momentum", "float", 0.0, 0.99, parent="momentum_on", parent_values=("yes",)),
        Parameter("one_minus_beta1", "float", 1e-2, 0.9, log=True, parent="optimizer", parent_values=("adam",)),
        Parameter("one_minus_beta2", "float", 1e-4, 1e-1, log=True, parent="optimizer", parent_values=("adam",)),
        Parameter("decay", "float", 1e-7, 1e-1, log=True),
    ]
    decay = rng.uniform(-5, -3)

    def truth(params):
        lr = np.log10(params["lr"])
        value = 0.05 * (np.log10(params["decay"]) - decay) ** 2
        if params["optimizer"] == "adam":
            r = lr - adam_rate
            value += adam_gap + 0.15 * (np.log10(params["one_minus_beta2"]) - best_beta) ** 2
            value += 0.3 * (np.log10(params["one_minus_beta1"]) + 1.0) ** 2
        elif params["momentum_on"] == "yes":
            m = params["momentum"]
            r = lr - sgd_rate - np.log10(1 - m) + np.log10(1 - best_momentum)
            value += sgd_gap + 2.0 * (m - best_momentum) ** 2
        else:
            r = lr - sgd_rate - 1.0
            value += sgd_gap + 0.25
        return float(2.3 * (1 - np.exp(-(value + (1.2 * r) ** 2 if r > 0 else value + (0.5 * r) ** 2))))

    return Instance(space, truth, 0.0)
