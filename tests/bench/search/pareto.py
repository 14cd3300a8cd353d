#!/usr/bin/env python3
"""Several objectives: hypervolumes after each of a number of trials, of `betatune ask-tell` beside BoTorch's
qLogNEHVI as its tutorial uses it (independent SingleTaskGPs with outputs standardized, the same reference point).

    VENV/bin/python pareto.py [SEEDS] [TRIALS] [PROBLEM ...]      with a VENV of peers/a.txt; prints a table

The score of a run is log10(best known hypervolume - hypervolume): lower is better. The ratio is that of the median
hypervolume gaps, Betatune's by BoTorch's.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated

warnings.simplefilter("ignore")
torch.set_num_threads(1)


def zdt1(x):
    g = 1 + 9 * np.mean(x[1:])
    return [x[0], g * (1 - np.sqrt(x[0] / g))]


def dtlz2(x):
    g = np.sum((x[1:] - 0.5) ** 2)
    return [(1 + g) * np.cos(x[0] * np.pi / 2), (1 + g) * np.sin(x[0] * np.pi / 2)]


def branin_currin(x):
    a, b = 15 * x[0] - 5, 15 * x[1]
    branin = ((b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2
              + 10 * (1 - 1 / (8 * np.pi)) * np.cos(a) + 10)
    damp = 1 - np.exp(-1 / (2 * x[1])) if x[1] > 0 else 1.0
    currin = (damp * (2300 * x[0]**3 + 1900 * x[0]**2 + 2092 * x[0] + 60)
              / (100 * x[0]**3 + 500 * x[0]**2 + 4 * x[0] + 20))
    return [branin, currin]


# dims, function, reference, best hypervolume (of the true front; Branin-Currin: BoTorch's max_hv)
PROBLEMS = {
    "zdt1": (4, zdt1, [11.0, 11.0], 120 + 2 / 3),
    "dtlz2": (6, dtlz2, [1.1, 1.1], 1.21 - np.pi / 4),
    "branin-currin": (2, branin_currin, [18.0, 6.0], 59.36011874867746),
}


def hypervolume(values, reference):
    y = -torch.tensor(np.array(values), dtype=torch.double)
    front = y[is_non_dominated(y)]
    return Hypervolume(-torch.tensor(reference, dtype=torch.double)).compute(front)


def betatune(dims, function, reference, seed, trials):
    root = pathlib.Path(__file__).resolve().parents[3]
    program = os.environ.get("BETATUNE", str(root / "build/bin/betatune"))
    with tempfile.TemporaryDirectory(prefix="betatune-bench-") as folder:
        study = pathlib.Path(folder) / "study.yaml"
        parameters = "".join(f"  x{j}: {{type: float, min: 0, max: 1}}\n" for j in range(dims))
        study.write_text(
            f"version: 1\nstudy: {{name: bench, seed: {seed}}}\nobjectives:\n"
            f"  - {{metric: f0, threshold: {reference[0]}}}\n  - {{metric: f1, threshold: {reference[1]}}}\n"
            f"parameters:\n{parameters}stopping: {{trials: {trials}}}\ntrainer: {{external: true}}\n")
        process = subprocess.Popen([program, "ask-tell", "--memory", str(study)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, bufsize=1, cwd=folder)

        def say(message):
            process.stdin.write(json.dumps(message) + "\n")
            answer = json.loads(process.stdout.readline())
            if "error" in answer:
                raise RuntimeError(answer["error"])
            return answer

        values = []
        for _ in range(trials):
            asked = say({"ask": 1})["ask"][0]
            values.append(function(np.array([asked["params"][f"x{j}"] for j in range(dims)])))
            say({"tell": {"id": asked["id"], "metrics": dict(zip(("f0", "f1"), map(float, values[-1])))}})
        process.stdin.close()
        process.wait()
    return values


def botorch(dims, function, reference, seed, trials):
    from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import ModelListGP, SingleTaskGP
    from botorch.models.transforms import Standardize
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import SumMarginalLogLikelihood

    torch.manual_seed(seed)
    start = 2 * (dims + 1)
    x = torch.quasirandom.SobolEngine(dims, scramble=True, seed=seed).draw(start).double()
    values = [function(each.numpy()) for each in x]
    bounds = torch.tensor([[0.0] * dims, [1.0] * dims], dtype=torch.double)
    while len(values) < trials:
        y = -torch.tensor(np.array(values), dtype=torch.double)
        model = ModelListGP(*(SingleTaskGP(x, y[:, j:j + 1], outcome_transform=Standardize(1)) for j in range(2)))
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model, ref_point=[-each for each in reference], X_baseline=x, prune_baseline=True)
        point, _ = optimize_acqf(acquisition, bounds, q=1, num_restarts=10, raw_samples=512,
                                 options={"batch_limit": 5, "maxiter": 200})
        x = torch.cat([x, point.detach()])
        values.append(function(point[0].detach().numpy()))
    return values


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    trials = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    for name in sys.argv[3:] or PROBLEMS:
        dims, function, reference, best = PROBLEMS[name]
        gaps = {}
        for run in (betatune, botorch):
            began, gaps[run] = time.time(), []
            for seed in range(1, seeds + 1):
                values = run(dims, function, reference, seed, trials)
                gaps[run].append(max(best - hypervolume(values, reference), 1e-12))
            print(f"{name:14} {run.__name__:9} log10 gap {' '.join(f'{np.log10(g):6.2f}' for g in gaps[run])}"
                  f"  ({(time.time() - began) / seeds:.0f} s a run)", flush=True)
        ratio = statistics.median(gaps[betatune]) / statistics.median(gaps[botorch])
        print(f"{name:14} ratio of the median gaps {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
