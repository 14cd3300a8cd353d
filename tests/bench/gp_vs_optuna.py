#!/usr/bin/env python3
"""Time of one ask at d = 10: the GP searcher and `auto` beside Optuna's GPSampler, in the same run.

    gp_vs_optuna.py PATH_OF_bench_gp_ask [N ...]

Both optimize the same kind of function with N results behind them, on one thread; the times are
CPU milliseconds of that thread, refits included, so that a busy machine does no harm.
"""

import math
import os
import subprocess
import sys
import time
import warnings

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import optuna  # noqa: E402
import torch  # noqa: E402

DIMS = 10
ASKS = {50: 5, 100: 5, 500: 3, 1000: 3}  # a peer's ask at n = 1,000 takes seconds


def levy(u):
    w = [1 + 10 * (2 * each - 1) / 4 for each in u]
    middle = sum((x - 1) ** 2 * (1 + 10 * math.sin(math.pi * x + 1) ** 2) for x in w[:-1])
    last = w[-1]
    return (math.sin(math.pi * w[0]) ** 2 + middle
            + (last - 1) ** 2 * (1 + math.sin(2 * math.pi * last) ** 2))


def optuna_ms(n):
    names = [f"x{j}" for j in range(DIMS)]
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in names}
    study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=1))
    generator = torch.Generator().manual_seed(7)
    for row in torch.rand(n, DIMS, generator=generator, dtype=torch.float64).tolist():
        params = dict(zip(names, row))
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space,
                                                  value=levy(row)))
    times = []
    for i in range(ASKS.get(n, 3) + 1):
        begin = time.process_time()
        trial = study.ask(space)
        times.append(1e3 * (time.process_time() - begin))
        study.tell(trial, levy([trial.params[name] for name in names]))
    return sum(times[1:]) / len(times[1:])  # the first one imports and compiles


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sizes = [int(each) for each in sys.argv[2:]] or sorted(ASKS)
    warnings.filterwarnings("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    print(f"d = {DIMS}, one thread, CPU ms per ask; Optuna {optuna.__version__}, "
          f"torch {torch.__version__}")
    print(f"{'n':>6} {'gp':>8} {'cold start':>11} {'auto':>8} {'optuna gp':>10} {'ratio to gp':>12} {'to auto':>8}")
    for n in sizes:
        ours = subprocess.run([sys.argv[1], str(n)], check=True, capture_output=True, text=True)
        _, mean, mixed, cold = (float(each) for each in ours.stdout.split())
        peer = optuna_ms(n)
        print(f"{n:6d} {mean:8.1f} {cold:11.1f} {mixed:8.1f} {peer:10.0f} {peer / mean:12.0f} {peer / mixed:8.0f}", flush=True)


if __name__ == "__main__":
    main()
