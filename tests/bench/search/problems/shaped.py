"""Responses with plateaus and ties, with heavy tails, and with integers among the numbers."""

import numpy as np

from problem import Instance, problem
from problems.functions import random_place
from space import Parameter, unit_box


@problem("stairs-4", "plateau", "tune")
def stairs(rng):
    """A bowl in steps of a tenth: most neighbours tie."""
    place = random_place(rng, 4)

    def truth(params):
        u = np.array([params[f"x{i}"] for i in range(4)])
        return float(np.floor(10 * 2 * np.abs(u - place)).sum() / 10)

    return Instance(unit_box(4), truth, 0.0)


def tuning_space():
    return [
        Parameter("lr", "float", 1e-6, 1e0, log=True),
        Parameter("weight_decay", "float", 1e-8, 1e-1, log=True),
        Parameter("layers", "int", 1, 10),
        Parameter("width", "int", 8, 1024, log=True),
        Parameter("dropout", "float", 0.0, 0.8),
    ]


def tuning_curve(rng):
    """Distance from a good setting as a training feels it: too large a rate explodes, capacity couples
    with regularization."""
    place = rng.uniform([-3.6, -6, 3, 4.5, 0.1], [-2.4, -3, 8, 9, 0.4])
    rate, decay, depth, width, drop = place

    def excess(params):
        r = np.log10(params["lr"]) - rate - 0.15 * (depth - params["layers"])
        r = 1.8 * r if r > 0 else 0.6 * r
        capacity = np.log2(params["width"]) - width + 0.4 * (params["layers"] - depth)
        cap = capacity if capacity < 0 else 0.5 * capacity
        reg = np.log10(params["weight_decay"]) - decay - 0.3 * capacity
        return r * r + 0.25 * cap * cap + 0.08 * reg * reg + 6 * (params["dropout"] - drop) ** 2 + 0.05 * (
            params["layers"] - depth) ** 2

    return excess, lowest(excess, place)


def lowest(excess, place):
    """The minimum of the excess: for each depth and width the other three have a place where theirs is nothing."""
    rate, decay, depth, _, drop = place
    best = np.inf
    for layers in range(1, 11):
        for width in range(8, 1025):
            params = {"layers": layers, "width": width, "dropout": drop,
                      "lr": 10 ** (rate + 0.15 * (depth - layers)), "weight_decay": 1.0}
            capacity = np.log2(width) - place[3] + 0.4 * (layers - depth)
            params["weight_decay"] = 10 ** (decay + 0.3 * capacity)
            best = min(best, excess(params))
    return best


@problem("training-like-5", "mixed", "tune")
def training_like(rng):
    space, (excess, least) = tuning_space(), tuning_curve(rng)

    def loss(far):
        return float(0.05 + 2.3 * (1 - np.exp(-0.15 * far)))

    return Instance(space, lambda params: loss(excess(params)), loss(least))


@problem("heavy-tailed-5", "heavy-tailed", "held")
def heavy_tailed(rng):
    """The same kind of response, but losses from 1e-3 to 1e6: what diverges, diverges."""
    space, (excess, least) = tuning_space(), tuning_curve(rng)

    def loss(far):
        return float(1e-3 * np.exp(min(1.5 * far, 20.7)))

    return Instance(space, lambda params: loss(excess(params)), loss(least))


@problem("log-scales-3", "heavy-tailed", "tune")
def log_scales(rng):
    """A quadratic in the logarithms of three rates, its logarithm the loss's: 1e-3 to 1e6."""
    place = random_place(rng, 3)
    mix = np.linalg.qr(rng.standard_normal((3, 3)))[0] @ np.diag([1.0, 2.0, 4.0])
    space = [Parameter(f"rate{i}", "float", 1e-6, 1.0, log=True) for i in range(3)]

    def truth(params):
        u = np.array([1 + np.log10(params[f"rate{i}"]) / 6 for i in range(3)])
        return float(10 ** (-3 + min(3.0 * np.linalg.norm(mix @ (u - place)) ** 1.5, 9.0)))

    return Instance(space, truth, 1e-3)
