#!/usr/bin/env python3
"""Updates per second of MPILearn's own master, with workers that compute nothing.

    mpirun -np 1+WORKERS python3 mpi_learn_master.py MPI_LEARN MODEL UPDATES_PER_WORKER [sgd|gem]

MPI_LEARN is a checkout of MPILearn (github.com/vlimant/mpi_learn), whose classes MPIMaster and
MPIWorker run as they are; only Keras is replaced: by a model that has the weights and does nothing on
a batch. MODEL is one of bench_ps_updates' (lstm-64, mlp-300x5, 25M). Needs mpi4py, numpy, psutil.
"""

import logging
import sys
import time

import numpy as np

MODELS = {
    "lstm-64": [(19, 256), (64, 256), (256,), (64, 3), (3,)],
    "mlp-300x5": [(28, 300), (300,), (300, 300), (300,), (300, 300), (300,), (300, 300), (300,),
                  (300, 300), (300,), (300,), (1,)],
    "25M": [(5_000_000,)] * 5,
}


class Model:
    """What MPIProcess asks of a model."""

    def __init__(self, shapes):
        self.weights = [np.full(s, 0.5, dtype=np.float32) for s in shapes]

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights

    def format_update(self):
        return [np.zeros(w.shape, dtype=np.float32) for w in self.weights]

    def compile(self, **_):
        pass

    def train_on_batch(self, **_):
        return np.zeros((1,))

    test_on_batch = train_on_batch

    def metrics_names(self):
        return []

    def get_logs(self, _metrics, val=False):
        return {}

    def print_metrics(self, _metrics):
        pass

    def update_history(self, items, history):
        pass


class Builder:
    def __init__(self, shapes):
        self.shapes = shapes

    def build_model(self, local_session=True):
        return Model(self.shapes)

    def get_backend_name(self):
        return "none"


class Data:
    def __init__(self, batches):
        self.batches = batches

    def generate_data(self):
        for _ in range(self.batches):
            yield None, None

    def finalize(self):
        pass


def main():
    path, name, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
    mode = sys.argv[4] if len(sys.argv) > 4 else "sgd"
    sys.path.insert(0, path)
    from mpi4py import MPI
    from mpi_learn.mpi.process import MPIMaster, MPIWorker
    from mpi_learn.train.algo import Algo

    logging.disable(logging.CRITICAL)
    world = MPI.COMM_WORLD
    algo = Algo("gem" if mode == "gem" else "sgd", mode=mode, validate_every=0)
    shapes = MODELS[name]
    if world.Get_rank() == 0:
        master = MPIMaster(world.Dup(), child_comm=world, data=Data(0), algo=algo,
                           model_builder=Builder(shapes))
        start = time.perf_counter()
        master.train()
        seconds = time.perf_counter() - start
        workers = world.Get_size() - 1
        rate = workers * batches / seconds
        values = sum(int(np.prod(s)) for s in shapes)
        print(f"{name:<10} {workers:8d} {'MPILearn, ' + mode:<24} {rate:12.1f} {rate * 8e-6 * values:10.0f}")
    else:
        world.Dup()
        MPIWorker(data=Data(batches), algo=algo, model_builder=Builder(shapes), process_comm=None,
                  parent_comm=world, parent_rank=0)


main()
