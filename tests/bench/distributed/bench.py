#!/usr/bin/env python3
"""Data-parallel steps beside PyTorch's, two ranks with a thread each: milliseconds per step.

usage: bench.py [--short] BENCH_DISTRIBUTED [PYTHON_WITH_TORCH ...]       --short: two rounds, no compression, nothing tuned

The sides run in turns, each in processes of its own, ROUNDS times; the table has the least of a run's
median wall time, and of its CPU time (of one rank, all threads), over the rounds: what other programs on
the machine take away only adds. "alone" is both ranks training for themselves at the same time: what is
above it is the exchange. Ratios are to the first Python.
"""
import json
import os
import subprocess
import sys

RANKS, ROUNDS = 2, 3
STEPS = {"mlp": 10, "cnn": 40}
OURS = ["shared_memory", "gloo", "c10d"]
TUNED = ["gloo", "shared_memory"]
COMPRESSED = [("gloo", "fp16"), ("gloo", "powersgd"), ("shared_memory", "fp16"), ("shared_memory", "powersgd")]


def run(command):
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", GLOO_SOCKET_IFNAME="lo")
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)
    if result.returncode != 0 or not result.stdout.strip():
        raise RuntimeError(f"{command}: {result.stderr[-2000:]}")
    return json.loads(result.stdout)


def main():
    arguments = sys.argv[1:]
    short = "--short" in arguments
    native, *pythons = [a for a in arguments if a != "--short"]
    ddp = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ddp.py")
    print(f"{'model':6} {'exchange':38} {'wall ms':>9} {'ratio':>6} {'CPU ms':>9} {'ratio':>6}", flush=True)
    for model, steps in STEPS.items():
        sides = {"alone": [native, "alone", model, str(RANKS), str(steps)]}
        for kind in OURS:
            name = "c10d::Reducer, C++" if kind == "c10d" else f"betatune over {kind}"
            sides[name] = [native, kind, model, str(RANKS), str(steps)]
        for kind, compression in [] if short else COMPRESSED:
            sides[f"betatune over {kind}, {compression}"] = [native, kind, model, str(RANKS), str(steps), compression]
        for kind in [] if short else TUNED:
            sides[f"betatune over {kind}, tuned"] = [native, kind, model, str(RANKS), str(steps), "none", "tune"]
        for python in pythons:
            version = subprocess.run([python, "-c", "import torch; print(torch.__version__)"], capture_output=True,
                                     text=True, check=True).stdout.strip()
            sides[f"DistributedDataParallel {version}"] = [python, ddp, model, str(RANKS), str(steps)]
        runs = {name: [] for name in sides}
        for _ in range(2 if short else ROUNDS):
            for name, command in sides.items():
                runs[name].append(run(command))
        least = {name: {key: min(r[key] for r in rs) for key in ("wall_ms", "cpu_ms")} for name, rs in runs.items()}
        peer = next((least[name] for name in least if name.startswith("DistributedDataParallel")), None)
        for name, ms in least.items():
            ratios = [ms[key] / peer[key] if peer else float("nan") for key in ("wall_ms", "cpu_ms")]
            print(f"{model:6} {name:38} {ms['wall_ms']:9.1f} {ratios[0]:6.2f} {ms['cpu_ms']:9.1f} {ratios[1]:6.2f}   "
                  f"wall of each run: {' '.join(format(r['wall_ms'], '.0f') for r in runs[name])}", flush=True)
            for found in (r["news"] for r in runs[name] if r.get("news")):
                print(f"       {found}", flush=True)


main()
