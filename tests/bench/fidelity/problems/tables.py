"""Learning curves of real trainings, from the tables that make_table.py made: tables/NAME.csv.gz.

A table holds random configurations and, of each, its curve of 27 epochs and the seconds that an epoch took. Between
them the curve is interpolated: a mean of those of the six nearest configurations with Shepard's weights in the form
of Franke and Little, ((far - d) / (far d))^2 at the distance d, where `far` is that to the seventh nearest, so that
the curve changes continuously. Distances are taken in the unit cube (scales applied); a choice that differs counts 1.
Every value so is a convex combination of real curves, a tabulated configuration has exactly its own, and the lowest
final loss of the table is the minimum. What the seed changes is the optimizer alone.
"""

import csv
import functools
import gzip
import pathlib

import numpy as np

from problem import PROBLEMS, Instance, Problem, coordinate
from space import Parameter

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "tables"
EPOCHS = 27
NEIGHBOURS = 6


def ordinal(name, *choices):
    return Parameter(name, "ordinal", choices=choices)


# Name -> (half, space); what is trained says make_table.py.
TABLES = {
    "mlp-digits": ("tune", [
        Parameter("lr", "float", 1e-4, 1.0, log=True),
        Parameter("momentum", "float", 0.0, 0.98),
        Parameter("width", "int", 4, 256, log=True),
        Parameter("depth", "int", 1, 3),
        Parameter("alpha", "float", 1e-6, 1.0, log=True),
        ordinal("batch_size", 16, 32, 64, 128, 256),
    ]),
    "higgs-like": ("held", [
        Parameter("lr", "float", 1e-5, 1e-1, log=True),
        Parameter("beta1", "float", 0.5, 0.99),
        Parameter("width", "int", 8, 128, log=True),
        Parameter("depth", "int", 1, 3),
        ordinal("batch_size", 32, 64, 128, 256, 512),
        Parameter("activation", "categorical", choices=("relu", "tanh")),
    ]),
    "fashion-mnist": ("held", [
        Parameter("lr", "float", 1e-4, 0.3, log=True),
        Parameter("hidden", "int", 8, 256, log=True),
        Parameter("layers", "int", 1, 3),
        ordinal("batch_size", 16, 32, 64, 128, 256),
        Parameter("optimizer", "categorical", choices=("sgd", "adamw")),
        Parameter("schedule", "categorical", choices=("constant", "cosine")),
    ]),
}


def value(parameter, text):
    if parameter.kind == "categorical":
        return text
    return float(text) if parameter.kind == "float" else int(text)


class Table:
    def __init__(self, name):
        self.space = TABLES[name][1]
        with gzip.open(FOLDER / f"{name}.csv.gz", "rt") as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        self.params = [{p.name: value(p, row[p.name]) for p in self.space} for row in rows]
        self.points = np.array([self.place(p) for p in self.params])
        self.curves = np.array([[float(row[str(t)]) for t in range(1, EPOCHS + 1)] for row in rows])
        self.seconds = np.array([float(row["seconds"]) for row in rows])
        self.times = self.seconds / np.median(self.seconds)

    def place(self, params):
        """A point in the unit cube, choices one by one: two that differ are at the distance 1."""
        out = []
        for p in self.space:
            if p.kind == "categorical":
                out += [0.5**0.5 * (params[p.name] == c) for c in p.choices]
            else:
                out.append(coordinate(p, params[p.name]))
        return out

    def weights(self, params):
        """The nearest configurations and their weights, which sum to 1."""
        distances = np.sqrt(((self.points - self.place(params)) ** 2).sum(axis=1))
        nearest = np.argpartition(distances, NEIGHBOURS)[:NEIGHBOURS + 1]
        nearest = nearest[np.argsort(distances[nearest])]
        near, far = distances[nearest[:-1]], distances[nearest[-1]]
        if near[0] < 1e-9:
            return nearest[:1], np.ones(1)
        raw = ((far - near) / (far * near)) ** 2 + 1e-12
        return nearest[:-1], raw / raw.sum()

    def curve(self, params):
        rows, weights = self.weights(params)
        return weights @ self.curves[rows]

    def time(self, params):
        rows, weights = self.weights(params)
        return float(weights @ self.times[rows])


load = functools.cache(Table)


def make(name, rng):
    table = load(name)
    return Instance(table.space, EPOCHS, table.curve, float(table.curves[:, -1].min()), time=table.time)


for each, (half, _) in TABLES.items():
    if (FOLDER / f"{each}.csv.gz").exists():
        PROBLEMS[each] = Problem(each, half, functools.partial(make, each))
