#!/usr/bin/env python3
"""A command trainer with scikit-learn: one epoch per step, a checkpoint that a promoted trial goes on from.

By hand, without Betatune:  python3 train.py
"""

import pickle

import betatune
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

BY_HAND = {"units": 32, "lr": 0.01, "decay": 1e-4, "batch": 32}


def main():
    x, y = load_digits(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(x / 16, y, test_size=0.3, random_state=0, stratify=y)

    with betatune.trial(BY_HAND, until=9) as t:
        p = t.params
        if t.resume_dir:
            model = pickle.loads((t.resume_dir / "model.pickle").read_bytes())
        else:
            model = MLPClassifier(hidden_layer_sizes=(p["units"],), learning_rate_init=p["lr"], alpha=p["decay"],
                                  batch_size=p["batch"], random_state=t.seed % 2**32)
        for epoch in t.steps:
            model.partial_fit(x_train, y_train, classes=range(10))
            if t.checkpoint_due or epoch == t.until:
                with t.checkpoint(epoch) as folder:
                    (folder / "model.pickle").write_bytes(pickle.dumps(model))
            t.report(epoch, error=1 - model.score(x_valid, y_valid), train_error=1 - model.score(x_train, y_train))
            t.raise_if_stopped()


if __name__ == "__main__":
    main()
