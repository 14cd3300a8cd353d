#!/usr/bin/env python3
"""Fits noisy samples of a curve with one of two models, whose settings exist only for that model.

Run by `betatune run configs/conditional.yaml`; by hand:

    echo '{"model": "knn", "k": 5, "weights": "uniform"}' > p.json && python3 train.py p.json

Reads the parameters of one trial from a JSON file and writes one report, a JSON object, to stdout.
Only the standard library is used.
"""

import json
import math
import random
import sys


def curve(x):
    return math.sin(3 * x) + 0.5 * x


def samples(count, seed):
    draw = random.Random(seed)
    points = [draw.uniform(-2, 2) for _ in range(count)]
    return [(x, curve(x) + draw.gauss(0, 0.2)) for x in points]


def solve(matrix, right):
    """Gaussian elimination with partial pivoting; `matrix` is square and not singular."""
    rows = [row + [value] for row, value in zip(matrix, right)]
    size = len(rows)
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, size):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i])]
    solution = [0.0] * size
    for i in reversed(range(size)):
        known = sum(rows[i][j] * solution[j] for j in range(i + 1, size))
        solution[i] = (rows[i][size] - known) / rows[i][i]
    return solution


def polynomial(train, degree, ridge):
    powers = [[(x / 2) ** k for k in range(degree + 1)] for x, _ in train]
    gram = [
        [sum(p[i] * p[j] for p in powers) + (ridge if i == j else 0) for j in range(degree + 1)]
        for i in range(degree + 1)
    ]
    right = [sum(p[i] * y for p, (_, y) in zip(powers, train)) for i in range(degree + 1)]
    weights = solve(gram, right)
    return lambda x: sum(w * (x / 2) ** k for k, w in enumerate(weights))


def nearest(train, k, weights, power=1.0):
    def predict(x):
        close = sorted(train, key=lambda point: abs(point[0] - x))[:k]
        if weights == "uniform":
            return sum(y for _, y in close) / len(close)
        scores = [1 / (abs(at - x) + 1e-3) ** power for at, _ in close]
        return sum(s * y for s, (_, y) in zip(scores, close)) / sum(scores)

    return predict


def main():
    with open(sys.argv[1]) as file:
        params = json.load(file)
    train, validation = samples(120, seed=1), samples(80, seed=2)
    if params["model"] == "polynomial":
        predict = polynomial(train, params["degree"], params["ridge"])
    else:
        predict = nearest(train, params["k"], params["weights"], params.get("power", 1.0))
    errors = [(predict(x) - y) ** 2 for x, y in validation]
    print(json.dumps({"step": 1, "loss": sum(errors) / len(errors)}), flush=True)


if __name__ == "__main__":
    main()
