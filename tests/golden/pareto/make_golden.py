#!/usr/bin/env python3
"""Makes the golden values of fronts: log_ehvi.json beside this file.

    python3 -m venv VENV && VENV/bin/pip install -r requirements.txt && VENV/bin/python make_golden.py

BoTorch gives hypervolumes, and expected hypervolume improvements by its own decomposition and
integrals (analytic, independent objectives). It maximises, so every sign is turned.
"""

import json
import pathlib

import numpy as np
import torch
from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
from botorch.utils.multi_objective.box_decompositions.non_dominated import (
    FastNondominatedPartitioning,
)
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.testing import MockModel, MockPosterior

HERE = pathlib.Path(__file__).parent


def case(objectives, size, seed):
    rng = np.random.default_rng(seed)
    front = rng.random((size, objectives))
    reference = np.full(objectives, 0.95)
    y = torch.tensor(-front, dtype=torch.float64)
    ref = torch.tensor(-reference, dtype=torch.float64)
    partitioning = FastNondominatedPartitioning(ref_point=ref, Y=y)
    points = []
    for _ in range(6):
        mean = rng.uniform(0, 1.1, objectives)
        deviation = rng.uniform(0.02, 0.4, objectives)
        posterior = MockPosterior(
            mean=torch.tensor(-mean, dtype=torch.float64)[None, None],
            variance=torch.tensor(deviation**2, dtype=torch.float64)[None, None])
        ehvi = ExpectedHypervolumeImprovement(
            model=MockModel(posterior), ref_point=ref, partitioning=partitioning)
        value = ehvi(torch.zeros(1, 1, 1, dtype=torch.float64)).item()
        points.append({"mean": mean.tolist(), "deviation": deviation.tolist(), "ehvi": value})
    return {
        "front": front.tolist(),
        "reference": reference.tolist(),
        "hypervolume": Hypervolume(ref).compute(partitioning.pareto_Y),
        "points": points,
    }


def main():
    cases = [case(2, 1, 1), case(2, 12, 2), case(3, 10, 3), case(4, 8, 4)]
    (HERE / "log_ehvi.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
