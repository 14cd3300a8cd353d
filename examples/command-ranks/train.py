#!/usr/bin/env python3
"""One training by several processes, with the standard library only: gradient descent over shared-out samples.

Run by `betatune run configs/command-ranks.yaml`, which starts this script once per rank; by hand, alone:

    RANK=0 WORLD_SIZE=1 python3 train.py --lr=0.5 --until=9

The ranks find each other as PyTorch's do: rank 0 listens at MASTER_ADDR:MASTER_PORT, the others connect. Each computes
the gradient of its samples, and all go on with the sum, so that any number of ranks trains the same but for rounding.
Rank 0 alone reports and saves. A SIGTERM reaches each rank at another moment: they tell each other, and leave behind the
same epoch.
"""

import argparse
import json
import math
import os
import random
import signal
import socket
import struct
import time

FEATURES = 8
SAMPLES = 400
STEPS_PER_EPOCH = 5
PATIENCE_S = 30


class Ranks:
    """The processes of this trial, joined in a star round rank 0."""

    def __init__(self):
        self.rank, self.size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self.links = []
        if self.size > 1:
            place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            self.links = self._accept(place) if self.rank == 0 else [self._connect(place)]

    def _accept(self, place):
        links = {}
        with socket.create_server(place, backlog=self.size) as server:
            server.settimeout(PATIENCE_S)
            while len(links) < self.size - 1:
                link, _ = server.accept()
                links[int(self._receive(link, 1)[0])] = link
        return [links[rank] for rank in sorted(links)]

    def _connect(self, place):
        last = time.monotonic() + PATIENCE_S
        while True:
            try:
                link = socket.create_connection(place)
                break
            except ConnectionRefusedError:  # rank 0 does not listen yet
                if time.monotonic() > last:
                    raise
                time.sleep(0.02)
        self._send(link, [self.rank])
        return link

    @staticmethod
    def _send(link, numbers):
        link.sendall(struct.pack(f"{len(numbers)}d", *numbers))

    @staticmethod
    def _receive(link, count):
        data = b""
        while len(data) < 8 * count:
            got = link.recv(8 * count - len(data))
            if not got:
                raise ConnectionError("another rank has ended")
            data += got
        return struct.unpack(f"{count}d", data)

    def sum(self, numbers):
        """Over all ranks, in their order: the same bits on each of them and in each run."""
        if self.rank > 0:
            self._send(self.links[0], numbers)
            return self._receive(self.links[0], len(numbers))
        total = list(numbers)
        for link in self.links:
            total = [a + b for a, b in zip(total, self._receive(link, len(numbers)))]
        for link in self.links:
            self._send(link, total)
        return total


def samples():
    """Every rank makes all of them, from the same seed, and takes its own."""
    rng = random.Random(7)
    direction = [rng.gauss(0, 1) for _ in range(FEATURES)]
    for _ in range(SAMPLES):
        x = [rng.gauss(0, 1) * (1 + i) for i in range(FEATURES)]
        score = sum(w * v for w, v in zip(direction, x)) + rng.gauss(0, 4)
        yield x, 1.0 if score > 0 else 0.0


def gradient_and_loss(weights, part):
    gradient, loss = [0.0] * FEATURES, 0.0
    for x, label in part:
        score = sum(w * v for w, v in zip(weights, x))
        probability = 1 / (1 + math.exp(-min(max(score, -500), 500)))
        loss -= math.log(max(probability if label else 1 - probability, 1e-12))
        for i, v in enumerate(x):
            gradient[i] += (probability - label) * v
    return gradient, loss


def read_state(folder):
    if folder is None:
        return {"epoch": 0, "weights": [0.0] * FEATURES, "velocity": [0.0] * FEATURES}
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


def train_epoch(state, ranks, part, lr, momentum):
    """The mean loss, over the samples of all ranks."""
    loss = 0.0
    for _ in range(STEPS_PER_EPOCH):
        own, own_loss = gradient_and_loss(state["weights"], part)
        *gradient, loss = ranks.sum([*own, own_loss])
        for i in range(FEATURES):
            state["velocity"][i] = momentum * state["velocity"][i] - lr * gradient[i] / SAMPLES
            state["weights"][i] += state["velocity"][i]
    state["epoch"] += 1
    return loss / SAMPLES


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--until", type=int, required=True, help="epoch to train to")
    parser.add_argument("--checkpoint-dir", help="where rank 0 saves the state")
    parser.add_argument("--resume", help="folder of the state to go on from")
    options = parser.parse_args()

    told = []
    signal.signal(signal.SIGTERM, lambda *_: told.append(True))
    ranks = Ranks()
    part = list(samples())[ranks.rank::ranks.size]
    print(f"rank {ranks.rank} of {ranks.size} has {len(part)} samples", flush=True)
    state = read_state(options.resume)
    while state["epoch"] < options.until:
        loss = train_epoch(state, ranks, part, options.lr, options.momentum)
        if ranks.rank == 0:
            if options.checkpoint_dir:
                write_state(options.checkpoint_dir, state)
            print(json.dumps({"step": state["epoch"], "loss": loss}), flush=True)
        if ranks.sum([float(bool(told))])[0] > 0:  # one of them was told, so all leave here
            break


if __name__ == "__main__":
    main()
