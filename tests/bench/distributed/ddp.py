"""The same training as steps.cpp with PyTorch's DistributedDataParallel over Gloo, one thread per rank.

usage: ddp.py MODEL RANKS STEPS      prints what steps.cpp prints
"""
import json
import os
import sys
import tempfile
import time

WARM_UP = 3
BATCH = {"mlp": 128, "cnn": 64}


def make_model(name):
    from torch import nn

    if name == "mlp":
        return nn.Sequential(nn.Linear(784, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU(),
                             nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 10))
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
                         nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
                         nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10))


def run(rank, folder, name, ranks, steps):
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=ranks)
    torch.manual_seed(1)
    model = torch.nn.parallel.DistributedDataParallel(make_model(name))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x = torch.randn(BATCH[name], 784) if name == "mlp" else torch.randn(BATCH[name], 1, 28, 28)
    y = torch.randint(10, (BATCH[name],))
    times = []
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            cpu_before = time.process_time()
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        value = float(loss)
        if step >= WARM_UP:
            times.append(1e3 * (time.perf_counter() - begin))
    if rank == 0:
        cpu_ms = 1e3 * (time.process_time() - cpu_before) / steps
        times.sort()
        print(json.dumps({"wall_ms": times[len(times) // 2], "cpu_ms": cpu_ms, "loss": value}), flush=True)
    dist.barrier()
    dist.destroy_process_group()


def main():
    name, ranks, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as folder:
        children = []
        for rank in range(ranks):
            child = os.fork()
            if child == 0:
                try:
                    run(rank, folder, name, ranks, steps)
                finally:
                    sys.stdout.flush()
                    os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)


main()
