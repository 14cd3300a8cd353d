#!/usr/bin/env python3
"""A trial of several processes with PyTorch's DistributedDataParallel: two spirals, each rank with its part of them.

Run by `betatune run examples/pytorch-ddp/study.yaml`, which starts this script once per rank; without Betatune:

    torchrun --nproc-per-node 2 train.py
"""

import math
import os

import betatune
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

BY_HAND = {"units": 32, "layers": 2, "lr": 0.1, "momentum": 0.9}
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


def mean_over_ranks(value):
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def any_rank(flag, device):
    """Whether it holds on one of them: all ranks get the same answer, so they do the same."""
    told = torch.tensor([float(bool(flag))], device=device)
    dist.all_reduce(told, op=dist.ReduceOp.MAX)
    return bool(told.item())


def main():
    on_gpus = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpus else torch.device("cpu")
    with betatune.trial(BY_HAND, until=9) as t:
        torch.set_num_threads(t.cpus)
        torch.manual_seed(t.seed)
        dist.init_process_group("nccl" if on_gpus else "gloo")   # from the environment
        x, y = spirals(512, seed=1)
        x, y = x[t.rank::t.ranks].to(device), y[t.rank::t.ranks].to(device)
        x_valid, y_valid = (each.to(device) for each in spirals(512, seed=2))
        model = network(t.params["units"], t.params["layers"]).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=t.params["lr"], momentum=t.params["momentum"])
        loss_of = torch.nn.CrossEntropyLoss()
        if t.resume_dir is not None:   # every rank reads what rank 0 saved
            saved = torch.load(t.resume_dir / "state.pt", map_location=device)
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])

        replica = DistributedDataParallel(model, device_ids=[device.index] if on_gpus else None)
        for epoch in t.steps:
            for _ in range(STEPS_PER_EPOCH):
                optimizer.zero_grad()
                loss = loss_of(replica(x), y)
                loss.backward()
                optimizer.step()
            if t.rank == 0:
                with t.checkpoint(epoch) as folder:
                    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, folder / "state.pt")
            with torch.no_grad():
                t.report(epoch, val_loss=loss_of(model(x_valid), y_valid), loss=mean_over_ranks(loss))
            if any_rank(t.decision, device):
                break
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
