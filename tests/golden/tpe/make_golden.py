#!/usr/bin/env python3
"""Makes the golden values of the Parzen estimator: *.json beside this file.

    python3 -m venv VENV && VENV/bin/pip install -r requirements.txt && VENV/bin/python make_golden.py

Nothing here shares code with the program: mpmath gives the normal quantiles with 50 digits, SciPy's
truncated normals the densities, from the definitions in optimizer/tpe/parzen.hpp.
"""

import json
import pathlib

import mpmath
import numpy as np
from scipy.stats import truncnorm

HERE = pathlib.Path(__file__).parent
NARROWEST, SPREAD = 0.03, 0.2


def write(name, value):
    (HERE / name).write_text(json.dumps(value) + "\n")


def quantile_case(z):
    """Both tails from z < 0: a probability just below 1 has not the digits."""
    with mpmath.workdps(50):
        p = float(mpmath.ncdf(z))
        exact = mpmath.findroot(lambda x: mpmath.log(mpmath.ncdf(x)) - mpmath.log(mpmath.mpf(p)), z)
        return {"p": p, "z": float(exact)}


def widths(centres, narrowest):
    ends = np.concatenate([[0], np.sort(centres), [1]])
    farther = np.maximum(np.diff(ends)[:-1], np.diff(ends)[1:])
    out = np.empty(len(centres))
    out[np.argsort(centres, kind="stable")] = np.clip(farther, narrowest, 1)
    return out


def normal(centre, width):
    return truncnorm(-centre / width, (1 - centre) / width, loc=centre, scale=width)


def densities(kind, levels, centres, at):
    """[kernel][point], the prior's kernel last."""
    if kind == "choice":
        same = [[1 - SPREAD if u == c else SPREAD / (levels - 1) for u in at] for c in centres]
        return np.array([*same, [1 / levels] * len(at)])
    narrowest = max(NARROWEST, 0.5 / levels) if kind == "grid" else NARROWEST
    kernels = [normal(c, w) for c, w in zip(centres, widths(centres, narrowest))] + [normal(0.5, 1)]
    if kind == "line":
        return np.array([k.pdf(at) for k in kernels])
    half = 0.5 / levels
    return np.array([k.cdf(at + half) - k.cdf(at - half) for k in kernels])


def mixture_case(n, prior_weight, seed):
    rng = np.random.default_rng(seed)
    levels = {"line": 0, "grid": 7, "choice": 4}

    def draw(kind, count):
        u = rng.random(count)
        return u if kind == "line" else (np.floor(u * levels[kind]) + 0.5) / levels[kind]

    weights = rng.uniform(0.1, 1, n)
    centres = {kind: draw(kind, n) for kind in levels}
    at = {kind: draw(kind, 9) for kind in levels}
    product = np.prod([densities(kind, levels[kind], centres[kind], at[kind]) for kind in levels],
                      axis=0)
    mixed = np.append(weights, prior_weight) @ product / (weights.sum() + prior_weight)
    return {
        "levels": levels,
        "centres": {kind: each.tolist() for kind, each in centres.items()},
        "weights": weights.tolist(),
        "prior_weight": prior_weight,
        "points": {kind: each.tolist() for kind, each in at.items()},
        "log_density": np.log(mixed).tolist(),
    }


def main():
    steps = [-37, -30, -12, -8, -6, -5.2, -4, -3, -2.5, -2, -1.5, -1, -0.7, -0.5, -0.25, -0.01]
    write("normal.json", [quantile_case(z) for z in steps])
    write("parzen.json", [mixture_case(1, 1.0, 1), mixture_case(9, 0.4, 2), mixture_case(60, 1, 3)])


if __name__ == "__main__":
    main()
