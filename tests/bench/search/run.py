#!/usr/bin/env python3
"""Runs optimizers on problems and keeps what they reached.

  run.py --optimizer betatune [--problems NAME ...] [--half tune|held] [--kind KIND ...] [--seeds 1-10]
         [--budget 100] [--parallel 1] [--jobs 2] [--results FOLDER] [--again]

A run is one line in FOLDER/OPTIMIZER-qQ.jsonl: the regret of the best (on noisy problems: of the recommended)
configuration after certain numbers of trials (its loss, where no one knows the minimum), and the seconds it took. Runs that are there are not
made again without --again.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("PYTHONWARNINGS", "ignore")

import argparse
import heapq
import json
import multiprocessing
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402

import problems  # noqa: E402,F401
from optimizers import load  # noqa: E402
from problem import PROBLEMS  # noqa: E402

CHECKPOINTS = (10, 25, 50, 100, 200)


def simulate(optimizer, instance, seed, budget, parallel):
    """`parallel` workers on a simulated clock: each asks when it is free, trials take 0.5 to 1.5 of time."""
    clock, noise = np.random.default_rng([3, seed]), np.random.default_rng([5, seed])
    running, started, told = [], 0, 0
    best = best_observed = np.inf
    best_params, regrets = None, {}

    def start(now):
        nonlocal started
        params = optimizer.ask()
        if params is None:
            return False
        heapq.heappush(running, (now + clock.uniform(0.5, 1.5), started, params))
        started += 1
        return True

    for _ in range(min(parallel, budget)):
        start(0.0)
    while running:
        now, _, params = heapq.heappop(running)
        truth = instance.truth(params)
        observed = truth + (instance.noise * noise.standard_normal() if instance.noise else 0.0)
        optimizer.tell(params, observed)
        told += 1
        best = min(best, truth)
        if observed < best_observed:
            best_observed, best_params = observed, params
        if told in CHECKPOINTS or told == budget:
            reached = best
            if instance.noise:
                chosen = optimizer.recommend() if hasattr(optimizer, "recommend") else best_params
                reached = instance.truth(chosen)
            regrets[told] = reached - (instance.minimum or 0.0)
        if started < budget:
            start(now)
    if regrets and told < budget:  # a finite space that is used up
        for each in CHECKPOINTS:
            if told < each <= budget:
                regrets[each] = min(regrets.values()) if not instance.noise else regrets[max(regrets)]
    return regrets


def one(job):
    name, problem_name, seed, budget, parallel = job
    instance = PROBLEMS[problem_name].instance(seed)
    begun = time.perf_counter()
    optimizer = load(name)(instance.space, seed=seed, budget=budget, parallel=parallel, noisy=instance.noise > 0)
    regrets = simulate(optimizer, instance, seed, budget, parallel)
    if hasattr(optimizer, "close"):
        optimizer.close()
    return {"problem": problem_name, "seed": seed, "budget": budget, "q": parallel, "optimizer": name,
            "version": optimizer.version, "seconds": round(time.perf_counter() - begun, 2),
            "regret": {str(k): float(f"{v:.4g}") for k, v in regrets.items()}}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--optimizer", required=True)
    parser.add_argument("--problems", nargs="*", default=[])
    parser.add_argument("--kind", nargs="*", default=[])
    parser.add_argument("--half", choices=["tune", "held"])
    parser.add_argument("--seeds", default="1-10", help="as 1-10")
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--again", action="store_true")
    return parser.parse_args()


def main():
    wanted = parse()
    low, _, high = wanted.seeds.partition("-")
    seeds = range(int(low), int(high or low) + 1)
    unknown = set(wanted.problems) - set(PROBLEMS)
    if unknown:
        sys.exit(f"no such problem: {', '.join(sorted(unknown))}; there are: {', '.join(PROBLEMS)}")
    chosen = [p for p in PROBLEMS.values() if (not wanted.problems or p.name in wanted.problems)
              and (not wanted.half or p.half == wanted.half) and (not wanted.kind or p.kind in wanted.kind)]
    path = wanted.results / f"{wanted.optimizer}-q{wanted.parallel}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    if wanted.again:
        redo = {(p.name, s) for p in chosen for s in seeds}
        lines = [r for r in lines if (r["problem"], r["seed"]) not in redo]
        path.write_text("".join(json.dumps(r) + "\n" for r in lines))
    done = {(r["problem"], r["seed"]) for r in lines if r["budget"] >= wanted.budget}
    jobs = [(wanted.optimizer, p.name, s, wanted.budget, wanted.parallel) for s in seeds for p in chosen
            if (p.name, s) not in done]
    with multiprocessing.Pool(wanted.jobs, maxtasksperchild=20) as pool, path.open("a") as out:
        for result in pool.imap_unordered(one, jobs):
            out.write(json.dumps(result) + "\n")
            out.flush()
            print(f"{result['optimizer']:14s} {result['problem']:24s} seed {result['seed']:2d} "
                  f"{result['seconds']:7.1f} s  {result['regret']}", flush=True)


if __name__ == "__main__":
    main()
