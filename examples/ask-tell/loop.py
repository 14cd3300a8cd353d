#!/usr/bin/env python3
"""A training loop of one's own that asks Betatune what to try: logistic regression in plain Python.

    python3 loop.py [STUDY.yaml]
"""

import math
import pathlib
import random
import sys

import betatune

HIDDEN_RULE = [1.5, -2.0, 0.5, 0.0, 0.0]


def data(points, seed):
    draw = random.Random(seed)
    rows = [[draw.gauss(0, 1) for _ in HIDDEN_RULE] for _ in range(points)]
    return [(row, float(dot(HIDDEN_RULE, row) + draw.gauss(0, 0.5) > 0)) for row in rows]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def log_loss(weights, rows):
    """Mean over rows of log(1 + exp(-margin)), in a form that does not overflow."""
    margins = [(2 * label - 1) * dot(weights, row) for row, label in rows]
    return sum(max(-m, 0) + math.log1p(math.exp(-abs(m))) for m in margins) / len(rows)


def train_epoch(weights, rows, lr, decay):
    for row, label in rows:
        error = 1 / (1 + math.exp(-max(-500.0, min(500.0, dot(weights, row))))) - label
        weights = [w - lr * (error * x + decay * w) for w, x in zip(weights, row)]
    return weights


def main():
    study_file = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("study.yaml")
    train, valid = data(60, seed=1), data(200, seed=2)
    with betatune.ask_tell(study_file) as study:
        for trial in study:
            weights = [0.0] * len(HIDDEN_RULE)
            for epoch in range(1, trial.until + 1):
                weights = train_epoch(weights, train, **trial.params)
                loss = log_loss(weights, valid)
                if trial.report(epoch, loss):
                    break  # stopped: the trial has ended there
            else:
                trial.tell(loss)
            print(f"trial {trial.id}: {loss:.4f} after {epoch} epochs")
        print("best:", study.best())


if __name__ == "__main__":
    main()
