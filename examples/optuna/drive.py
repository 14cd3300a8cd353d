#!/usr/bin/env python3
"""Optuna's own sampler, with Betatune's trainers, log, retries and restarts.

    drive.py STUDY.yaml        while `betatune run STUDY.yaml` runs, here or in another terminal

Keeps AHEAD configurations of Optuna in the queue of the running study, and tells Optuna each result as it comes. What
Betatune has tried for want of one is told to Optuna too. May be stopped and started again at any time.
"""

import json
import subprocess
import sys
import time

import optuna

AHEAD = 4  # at least the study's trainers: a free one that finds nothing in the queue tries a point of its own
SPACE = {"x": optuna.distributions.FloatDistribution(-5, 10), "y": optuna.distributions.FloatDistribution(0, 15)}
BUDGET = 20  # stopping.trials of the study


def betatune(*arguments):
    done = subprocess.run(["betatune", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def key(params):
    return json.dumps(params, sort_keys=True)


def main():
    study_file = sys.argv[1]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=6))
    asked = {}  # configuration -> Optuna's trial that waits for it
    told = set()  # Betatune's trials
    while len(told) < BUDGET:
        trials = betatune("trials", study_file, "--json")["trials"]
        for each in trials:
            if each["state"] != "closed" or each["id"] in told:
                continue
            told.add(each["id"])
            trial = asked.pop(key(each["params"]), None)
            if trial is not None:
                failed = each["loss"] is None
                study.tell(trial, each["loss"], state=optuna.trial.TrialState.FAIL if failed else None)
            elif each["loss"] is not None:
                study.add_trial(optuna.create_trial(params=each["params"], distributions=SPACE, value=each["loss"]))
            result = "failed" if each["loss"] is None else format(each["loss"], ".4g")
            print(f"trial {each['id']}: {result}, by {each['origin']}", flush=True)
        started = {key(each["params"]) for each in trials}
        queued = sum(waiting not in started for waiting in asked)
        for _ in range(min(AHEAD, BUDGET - len(trials)) - queued):
            trial = study.ask(SPACE)
            asked[key(trial.params)] = trial
            betatune("enqueue", study_file, "--params", json.dumps(trial.params), "--json")
        time.sleep(0.1)
    print(f"best: {study.best_value:.4g} at {study.best_params}")


if __name__ == "__main__":
    main()
