#!/usr/bin/env python3
"""Runs optimizers on learning curves and keeps what they reached.

  run.py --optimizer betatune [--problems NAME ...] [--half tune|held] [--seeds 1-5] [--budget 100]
         [--workers 1] [--jobs 2] [--results FOLDER] [--again] [--name NAME]

A run is one line in FOLDER/NAME-wW.jsonl (NAME: the optimizer's): of the incumbent, the regret of its final loss,
after certain numbers of epochs, counted in full trainings (R epochs each). "regret" is that of the optimizer's own
incumbent, "lowest" that of the configuration with the lowest loss seen at any step, "trace" is "regret" along
simulation.GRID. "time" is that of the simulated clock, "used" the share of the workers' time in which they trained.
Runs that are there are not made again without --again.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("PYTHONWARNINGS", "ignore")

import argparse
import json
import multiprocessing
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from problem import PROBLEMS  # noqa: E402
import problems  # noqa: E402,F401
from optimizers import OPTIMIZERS, load  # noqa: E402
from simulation import CHECKPOINTS, GRID, Simulation  # noqa: E402


def short(value):
    return float(f"{value:.4g}")


def one(job):
    name, problem_name, seed, budget, workers = job
    instance = PROBLEMS[problem_name].instance(seed)
    begun = time.perf_counter()
    optimizer = load(name)(instance.space, seed=seed, min_step=instance.min, max_step=instance.max,
                           budget_epochs=budget * instance.max, workers=workers,
                           checkpoints=[c * instance.max for c in CHECKPOINTS if c <= budget])
    run = Simulation(optimizer, instance, budget * instance.max, workers).run()
    if hasattr(optimizer, "close"):
        optimizer.close()
    at = {g: taken for g, taken in zip(GRID, run.taken)}
    column = lambda i: {str(c): short(at[c][i]) for c in CHECKPOINTS if c in at}  # noqa: E731
    return {"problem": problem_name, "seed": seed, "budget": budget, "workers": workers, "optimizer": name,
            "version": optimizer.version, "seconds": round(time.perf_counter() - begun, 2),
            "trials": len(run.trained), "full": sum(t == instance.max for t in run.trained.values()),
            "regret": column(0), "lowest": column(1), "time": column(2), "used": column(3),
            "trace": [short(taken[0]) for taken in run.taken]}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--optimizer", required=True, choices=OPTIMIZERS)
    parser.add_argument("--name", help="of the results, where one optimizer runs with several settings")
    parser.add_argument("--problems", nargs="*", default=[])
    parser.add_argument("--half", choices=["tune", "held"])
    parser.add_argument("--seeds", default="1-5", help="as 1-5")
    parser.add_argument("--budget", type=int, default=100, help="in full trainings")
    parser.add_argument("--workers", type=int, default=1, help="1, 8, 64 or 256")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--again", action="store_true")
    return parser.parse_args()


def main():
    wanted = parse()
    if wanted.workers > 1 and not OPTIMIZERS[wanted.optimizer][3]:
        sys.exit(f"{wanted.optimizer} can have one job at a time only: --workers 1")
    low, _, high = wanted.seeds.partition("-")
    seeds = range(int(low), int(high or low) + 1)
    unknown = set(wanted.problems) - set(PROBLEMS)
    if unknown:
        sys.exit(f"no such problem: {', '.join(sorted(unknown))}; there are: {', '.join(PROBLEMS)}")
    chosen = [p for p in PROBLEMS.values() if (not wanted.problems or p.name in wanted.problems)
              and (not wanted.half or p.half == wanted.half)]
    path = wanted.results / f"{wanted.name or wanted.optimizer}-w{wanted.workers}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if wanted.again:
        redo = {(p.name, s) for p in chosen for s in seeds}
        lines = [r for r in lines if (r["problem"], r["seed"]) not in redo]
        path.write_text("".join(json.dumps(r) + "\n" for r in lines))
    done = {(r["problem"], r["seed"]) for r in lines if r["budget"] >= wanted.budget}
    jobs = [(wanted.optimizer, p.name, s, wanted.budget, wanted.workers) for s in seeds for p in chosen
            if (p.name, s) not in done]
    with multiprocessing.Pool(wanted.jobs, maxtasksperchild=20) as pool, path.open("a") as out:
        for result in pool.imap_unordered(one, jobs):
            out.write(json.dumps(result) + "\n")
            out.flush()
            print(f"{result['optimizer']:16s} {result['problem']:16s} seed {result['seed']:2d} "
                  f"{result['seconds']:7.1f} s {result['trials']:5d} trials, {result['full']:4d} full  "
                  f"{result['regret']}", flush=True)


if __name__ == "__main__":
    main()
