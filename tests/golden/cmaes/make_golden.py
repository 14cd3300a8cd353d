#!/usr/bin/env python3
"""Makes the golden values of the CMA-ES: cma.json beside this file.

    python3 -m venv VENV && VENV/bin/pip install -r requirements.txt && VENV/bin/python make_golden.py

The package `cmaes` is told generations of points; what it then holds is what our distribution must
hold. Its generations are given as they were drawn, so nothing depends on a random generator.
"""

import json
import pathlib

import numpy as np
from cmaes import CMA

HERE = pathlib.Path(__file__).parent


def case(dims, population, generations, seed):
    rng = np.random.default_rng(seed)
    mean, sigma = rng.random(dims), 0.25
    scales = 10 ** np.linspace(0, 2, dims)
    optimizer = CMA(mean=mean.copy(), sigma=sigma, population_size=population, seed=seed)
    out = {"mean": mean.tolist(), "sigma": sigma, "generations": []}
    for _ in range(generations):
        points = [optimizer.ask() for _ in range(population)]
        told = sorted(((x, float(np.sum(scales * (x - 0.3) ** 2))) for x in points),
                      key=lambda each: each[1])
        optimizer.tell(told)
        out["generations"].append({
            "points": [x.tolist() for x, _ in told],  # best first
            "mean": optimizer._mean.tolist(),
            "sigma": float(optimizer._sigma),
            "covariance": optimizer._C.tolist(),
        })
    return out


def main():
    cases = [case(1, 4, 6, 1), case(2, 6, 10, 2), case(5, 8, 12, 3), case(7, 30, 4, 4)]
    (HERE / "cma.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
