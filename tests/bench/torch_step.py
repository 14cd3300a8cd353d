#!/usr/bin/env python3
"""The classifier's training step beside the same model in Python: CPU milliseconds, one thread.

usage: torch_step.py BENCH_TORCH_STEP

Same data, model, batch size, optimizer and schedule; the Python side is what a careful user writes
(bytes in memory, index_select), for a CNN also with channels last, which the C++ side uses always.
The sides run in turns, each in a process of its own; the first epoch warms up; the table has medians
over the other epochs.
"""
import gzip
import json
import os
import statistics
import subprocess
import sys
import time

DATA = "/usr/share/datasets/fashion-mnist"
EPOCHS, ROUNDS = 3, 2
CASES = {
    "cnn 16-32-64, batch 64, sgd": {"model": "cnn", "channels": 16, "dense": 64, "batch_size": 64, "optimizer": "sgd"},
    "cnn 32-64-128, batch 128, adamw": {"model": "cnn", "channels": 32, "dense": 128, "batch_size": 128, "optimizer": "adamw"},
    "cnn 16-32-64, dropout, batch 64": {"model": "cnn", "channels": 16, "dense": 64, "batch_size": 64, "optimizer": "sgd", "dropout": 0.3},
    "mlp 256-256, batch 64, sgd": {"model": "mlp", "layers": 2, "hidden": 256, "batch_size": 64, "optimizer": "sgd"},
    "mlp 256-256, batch 64, adamw": {"model": "mlp", "layers": 2, "hidden": 256, "batch_size": 64, "optimizer": "adamw"},
    "mlp 512x3, batch 256, adamw": {"model": "mlp", "layers": 3, "hidden": 512, "batch_size": 256, "optimizer": "adamw"},
}


def samples(params):
    return 3840 if params["model"] == "cnn" else 25600


def python_side(params, count, channels_last):
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(1)

    def read(name, header):
        with gzip.open(f"{DATA}/{name}-ubyte.gz") as f:
            return torch.frombuffer(bytearray(f.read()[header:]), dtype=torch.uint8)

    pixels = read("train-images-idx3", 16).view(-1, 28, 28)[:count].clone()
    labels = read("train-labels-idx1", 8)[:count].long()
    mean, std = float(pixels.float().mean()), float(pixels.float().std())
    dropout = [nn.Dropout(params["dropout"])] if params.get("dropout") else []
    if params["model"] == "cnn":
        c, d = params["channels"], params["dense"]
        model = nn.Sequential(
            nn.Conv2d(1, c, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(inplace=True),
            nn.Conv2d(c, 2 * c, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(inplace=True),
            nn.Flatten(), nn.Linear(2 * c * 49, d), nn.ReLU(inplace=True), *dropout, nn.Linear(d, 10))
    else:
        layers, width = [nn.Flatten()], 784
        for _ in range(params["layers"]):
            layers += [nn.Linear(width, params["hidden"]), nn.ReLU(inplace=True)]
            width = params["hidden"]
        model = nn.Sequential(*layers, nn.Linear(width, 10))
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    if params["optimizer"] == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    else:
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batch = params["batch_size"]
    batches = (count + batch - 1) // batch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * batches)
    loss_of = nn.CrossEntropyLoss()
    model.train()
    times = []
    for _ in range(EPOCHS):
        before = time.process_time()
        total = torch.zeros((), dtype=torch.float64)
        for index in torch.randperm(count).split(batch):
            x = pixels.index_select(0, index).float().sub_(mean).mul_(1 / std)
            if params["model"] == "cnn":
                x = x.unsqueeze(-1).permute(0, 3, 1, 2) if channels_last else x.unsqueeze(1)
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model(x), labels.index_select(0, index))
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(index)
        loss_text = float(total) / count
        times.append(1e3 * (time.process_time() - before) / batches)
    return {"step_cpu_ms": times, "train_loss": loss_text, "parameters": sum(p.numel() for p in model.parameters()),
            "version": torch.__version__}


def run(command):
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive")
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def measure(native, params):
    """CPU milliseconds per step of each side, and their last losses."""
    count = samples(params)
    config = {"data": DATA, "epochs": EPOCHS, "train_samples": count}
    python = [sys.executable, __file__, "--python", json.dumps(params), str(count)]
    sides = {"C++": [native, json.dumps(params), json.dumps(config), str(EPOCHS)], "Python": python}
    if params["model"] == "cnn":
        sides["channels last"] = [*python, "channels-last"]
    times = {side: [] for side in sides}
    results = {}
    for _ in range(ROUNDS):
        for side, command in sides.items():
            results[side] = run(command)
            times[side] += results[side]["step_cpu_ms"][1:]
    assert len({r["parameters"] for r in results.values()}) == 1, "not the same model"
    return {side: statistics.median(t) for side, t in times.items()}, results


def main():
    if sys.argv[1] == "--python":
        print(json.dumps(python_side(json.loads(sys.argv[2]), int(sys.argv[3]), "channels-last" in sys.argv)))
        return
    print(f"{'CPU ms per step':34} {'C++':>8} {'Python':>8} {'ratio':>6} {'channels last':>14} {'ratio':>6}   last loss")
    for name, params in CASES.items():
        times, results = measure(sys.argv[1], params)
        ours, plain, last = times["C++"], times["Python"], times.get("channels last")
        more = f"{last:14.3f} {ours / last:6.2f}" if last else f"{'':21}"
        print(f"{name:34} {ours:8.3f} {plain:8.3f} {ours / plain:6.2f} {more}   "
              f"{results['C++']['train_loss']:.3f} {results['Python']['train_loss']:.3f}", flush=True)
    print(f"one thread each; Python: torch {results['Python']['version']}")


main()
