#!/usr/bin/env python3
"""Trials per second that compute nothing, through what others have: Optuna's storages, Dask, Ray and Ray Tune.

usage: service_peers.py [SECONDS]

Every trial has a drawn configuration of two numbers and reports one loss. As many are in flight as there are slots in
bench_service_throughput, 64, where there are workers at all; Optuna has none, so its figure is that of ask, report and
tell in one process. Only Optuna's storages make anything durable; Dask and Ray keep results in memory.
"""

import contextlib
import importlib.metadata
import importlib.util
import io
import logging
import os
import random
import sys
import tempfile
import time
import warnings

IN_FLIGHT = 64
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
WORKERS = os.cpu_count() or 1


def train(x: float, y: float) -> float:
    return x + y


def rate(finish_one) -> float:
    """Trials per second of finish_one(), which ends when one more trial is over; a tenth of the time warms it up."""
    until = time.monotonic() + SECONDS / 10
    while time.monotonic() < until:
        finish_one()
    done, begin = 0, time.monotonic()
    while time.monotonic() < begin + SECONDS:
        finish_one()
        done += 1
    return done / (time.monotonic() - begin)


def optuna_rate(storage) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=1))

    def one():
        trial = study.ask()
        loss = train(trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1))
        trial.report(loss, 1)
        study.tell(trial, loss)

    return rate(one)


def optuna_sqlite() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return optuna_rate(f"sqlite:///{folder}/study.db")


def optuna_journal() -> float:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    with tempfile.TemporaryDirectory() as folder:
        return optuna_rate(JournalStorage(JournalFileBackend(f"{folder}/journal.log")))


def dask_tasks() -> float:
    from distributed import Client, LocalCluster, as_completed

    with LocalCluster(n_workers=WORKERS, threads_per_worker=IN_FLIGHT // WORKERS, dashboard_address=None,
                      silence_logs=logging.ERROR) as cluster, Client(cluster) as client:
        dice = random.Random(1)
        submit = lambda: client.submit(train, dice.random(), dice.random(), pure=False)  # noqa: E731
        running = as_completed([submit() for _ in range(IN_FLIGHT)])

        def one():
            next(running).result()
            running.add(submit())

        return rate(one)


def ray_tasks() -> float:
    import ray

    ray.init(num_cpus=WORKERS, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    try:
        remote = ray.remote(num_cpus=WORKERS / IN_FLIGHT / 2)(train)
        dice = random.Random(1)
        running = [remote.remote(dice.random(), dice.random()) for _ in range(IN_FLIGHT)]

        def one():
            done, rest = ray.wait(running, num_returns=1)
            ray.get(done[0])
            running[:] = [*rest, remote.remote(dice.random(), dice.random())]

        return rate(one)
    finally:
        ray.shutdown()


def ray_tune() -> float:
    """Of 20 trials after a warm-up of four, as it cannot be stopped by the clock; it has one in flight per core."""
    import ray
    from ray import tune

    ray.init(num_cpus=WORKERS, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    try:
        def objective(config):
            tune.report({"loss": train(config["x"], config["y"])})

        def seconds(trials):
            with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
                begin = time.monotonic()
                tune.Tuner(
                    objective, param_space={"x": tune.uniform(0, 1), "y": tune.uniform(0, 1)},
                    tune_config=tune.TuneConfig(num_samples=trials, metric="loss", mode="min", reuse_actors=True),
                    run_config=tune.RunConfig(storage_path=folder, verbose=0)).fit()
                return time.monotonic() - begin

        seconds(4)
        few = 20
        return few / seconds(few)
    finally:
        ray.shutdown()


PEERS = [
    ("Optuna, SQLite, one process", "optuna", optuna_sqlite, "yes"),
    ("Optuna, journal file, one process", "optuna", optuna_journal, "yes"),
    ("Dask tasks", "distributed", dask_tasks, "no"),
    ("Ray tasks", "ray", ray_tasks, "no"),
    ("Ray Tune trials", "ray", ray_tune, "its state now and then"),
]


def main() -> None:
    warnings.filterwarnings("ignore")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    print(f"{'':<36} {'version':>10} {'trials/s':>10}  durable")
    for name, package, measure, durable in PEERS:
        if importlib.util.find_spec(package) is None:
            print(f"{name:<36} not installed")
            continue
        print(f"{name:<36} {importlib.metadata.version(package):>10} {measure():>10.1f}  {durable}", flush=True)


if __name__ == "__main__":
    main()
