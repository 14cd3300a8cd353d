#!/usr/bin/env python3
"""Time of one ask at d = 10: the TPE searcher beside Optuna's TPESampler, in the same run.

    tpe_vs_optuna.py PATH_OF_bench_tpe_ask [N ...]

Both have N results of the same kind of function behind them and 24 candidates per ask, and model
the parameters together (Optuna's default since version 5); the times are CPU milliseconds of one
thread, so that a busy machine does no harm.
"""

import math
import os
import subprocess
import sys
import time
import warnings

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
import optuna  # noqa: E402

DIMS = 10
SIZES = (100, 1000, 10000)
ASKS = 10


def levy(u):
    w = [1 + 10 * (2 * each - 1) / 4 for each in u]
    middle = sum((x - 1) ** 2 * (1 + 10 * math.sin(math.pi * x + 1) ** 2) for x in w[:-1])
    last = w[-1]
    return (math.sin(math.pi * w[0]) ** 2 + middle
            + (last - 1) ** 2 * (1 + math.sin(2 * math.pi * last) ** 2))


def optuna_ms(n):
    names = [f"x{j}" for j in range(DIMS)]
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in names}
    sampler = optuna.samplers.TPESampler(seed=1, multivariate=True)
    study = optuna.create_study(sampler=sampler)
    rows = np.random.default_rng(7).random((n, DIMS)).tolist()
    study.add_trials([
        optuna.trial.create_trial(params=dict(zip(names, row)), distributions=space,
                                  value=levy(row)) for row in rows
    ])
    times = []
    for _ in range(ASKS + 1):
        begin = time.process_time()
        trial = study.ask(space)
        times.append(1e3 * (time.process_time() - begin))
        study.tell(trial, levy([trial.params[name] for name in names]))
    return sum(times[1:]) / ASKS  # the first one imports


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sizes = [int(each) for each in sys.argv[2:]] or SIZES
    warnings.filterwarnings("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(f"d = {DIMS}, one thread, CPU ms per ask; Optuna {optuna.__version__}")
    print(f"{'n':>6} {'betatune':>10} {'cold start':>11} {'optuna tpe':>11} {'ratio':>7}")
    for n in sizes:
        ours = subprocess.run([sys.argv[1], str(n)], check=True, capture_output=True, text=True)
        _, mean, cold = (float(each) for each in ours.stdout.split())
        peer = optuna_ms(n)
        print(f"{n:6d} {mean:10.2f} {cold:11.2f} {peer:11.1f} {peer / mean:7.0f}", flush=True)


if __name__ == "__main__":
    main()
