#!/usr/bin/env python3
"""A command trainer with PyTorch: betatune.callbacks.TorchLoop saves, goes on from a checkpoint, and reports.

By hand, without Betatune:  python3 train.py
"""

import math

import betatune
import torch

BY_HAND = {"units": 32, "layers": 2, "lr": 0.01, "momentum": 0.9}
STEPS_PER_EPOCH = 20


def spirals(points, seed):
    """Two of them, a turn and a half each, with noise: (points, 2) and their class."""
    generator = torch.Generator().manual_seed(seed)
    turn = torch.rand(points, generator=generator).sqrt() * 3 * math.pi
    kind = torch.randint(2, (points,), generator=generator)
    angle = turn + math.pi * kind
    x = torch.stack([angle.cos(), angle.sin()], dim=1) * turn[:, None] / (3 * math.pi)
    return x + 0.02 * torch.randn(points, 2, generator=generator), kind


def network(units, layers):
    modules, width = [], 2
    for _ in range(layers):
        modules += [torch.nn.Linear(width, units), torch.nn.Tanh()]
        width = units
    return torch.nn.Sequential(*modules, torch.nn.Linear(width, 2))


def main():
    with betatune.trial(BY_HAND, until=27) as t:
        torch.set_num_threads(t.cpus)
        torch.manual_seed(t.seed)
        x, y = spirals(512, seed=1)
        x_valid, y_valid = spirals(512, seed=2)
        model = network(t.params["units"], t.params["layers"])
        optimizer = torch.optim.SGD(model.parameters(), lr=t.params["lr"], momentum=t.params["momentum"])
        loss_of = torch.nn.CrossEntropyLoss()

        loop = betatune.callbacks.TorchLoop(t, model=model, optimizer=optimizer)
        for _ in loop:
            for _ in range(STEPS_PER_EPOCH):
                optimizer.zero_grad()
                loss = loss_of(model(x), y)
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                loop.report(val_loss=loss_of(model(x_valid), y_valid), loss=loss)


if __name__ == "__main__":
    main()
