#!/usr/bin/env python3
"""A trainer that is any executable: gradient descent with momentum on a badly scaled valley.

Run by `betatune run configs/command.yaml`; by hand:

    python3 train.py --lr=0.02 --momentum=0.9 --until=9

Writes one JSON object per epoch to stdout, which is a report; other lines would be its log. It
saves its state after every epoch and goes on from the state of --resume, so a promoted trial does
not begin again. Only the standard library is used.
"""

import argparse
import json
import os

STEPS_PER_EPOCH = 10
CURVATURES = [1.0, 4.0, 30.0]


def read_state(folder):
    if folder is None:
        return {"epoch": 0, "point": [3.0, -2.0, 1.0], "velocity": [0.0, 0.0, 0.0]}
    with open(os.path.join(folder, "state.json")) as file:
        return json.load(file)


def write_state(folder, state):
    """Replaces the file in one step: a killed writer leaves the older one whole."""
    path = os.path.join(folder, "state.json")
    with open(path + ".new", "w") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def train_epoch(state, lr, momentum):
    for _ in range(STEPS_PER_EPOCH):
        for i, curvature in enumerate(CURVATURES):
            gradient = curvature * state["point"][i]
            state["velocity"][i] = momentum * state["velocity"][i] - lr * gradient
            state["point"][i] += state["velocity"][i]
    state["epoch"] += 1


def loss_of(state):
    return sum(c * x * x / 2 for c, x in zip(CURVATURES, state["point"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--until", type=int, required=True, help="epoch to train to")
    parser.add_argument("--checkpoint-dir", help="where to save the state")
    parser.add_argument("--resume", help="folder of the state to go on from")
    options = parser.parse_args()

    state = read_state(options.resume)
    while state["epoch"] < options.until:
        train_epoch(state, options.lr, options.momentum)
        if options.checkpoint_dir:
            write_state(options.checkpoint_dir, state)
        print(json.dumps({"step": state["epoch"], "loss": loss_of(state)}), flush=True)


if __name__ == "__main__":
    main()
