"""Choices without an order, alone and mixed with numbers."""

import itertools

import numpy as np

from problem import Instance, problem
from problems.functions import random_place
from space import Parameter


@problem("cell-8x4", "categorical", "tune")
def cell(rng):
    """Eight operations of four kinds, as in a table of architectures: main effects and pairs that interact."""
    main = rng.normal(0, 1.0, (8, 4))
    pairs = [tuple(rng.choice(8, 2, replace=False)) for _ in range(10)]
    tables = rng.normal(0, 0.8, (10, 4, 4))
    space = [Parameter(f"op{i}", "categorical", choices=("conv3", "conv5", "pool", "skip")) for i in range(8)]
    index = {name: i for i, name in enumerate(("conv3", "conv5", "pool", "skip"))}

    def value(ops):
        total = sum(main[i, op] for i, op in enumerate(ops))
        return total + sum(t[ops[a], ops[b]] for (a, b), t in zip(pairs, tables))

    grid = np.array(list(itertools.product(range(4), repeat=8)))
    every = main[np.arange(8), grid].sum(axis=1)
    for (a, b), table in zip(pairs, tables):
        every = every + table[grid[:, a], grid[:, b]]
    low, spread = every.min(), every.std()

    def truth(params):
        ops = [index[params[f"op{i}"]] for i in range(8)]
        return float((value(ops) - low) / spread)

    return Instance(space, truth, 0.0)


@problem("switches-16", "categorical", "held")
def switches(rng):
    """Sixteen switches with couplings: a spin glass."""
    couplings = rng.normal(0, 1, (16, 16)) * (rng.random((16, 16)) < 0.35)
    couplings = np.triu(couplings, 1)
    field = rng.normal(0, 0.5, 16)
    spins = 1 - 2.0 * ((np.arange(65536)[:, None] >> np.arange(16)) & 1)
    low = (np.einsum("ni,ij,nj->n", spins, couplings, spins) + spins @ field).min()
    space = [Parameter(f"s{i}", "categorical", choices=("on", "off")) for i in range(16)]

    def truth(params):
        s = np.array([1.0 if params[f"s{i}"] == "on" else -1.0 for i in range(16)])
        return float(s @ couplings @ s + s @ field - low)

    return Instance(space, truth, 0.0)


@problem("mixed-choices-6", "mixed", "held")
def mixed_choices(rng):
    """Three choices that move the bowl of three numbers."""
    options = ("a", "b", "c", "d", "e")
    places = np.array([[random_place(rng, 3) for _ in options] for _ in range(3)])
    offsets = rng.uniform(0, 1.5, (3, 5))
    offsets[np.arange(3), rng.integers(0, 5, 3)] = 0
    space = [Parameter(f"c{i}", "categorical", choices=options) for i in range(3)]
    space += [Parameter(f"x{i}", "float", 0.0, 1.0) for i in range(3)]

    def truth_at(chosen, u):
        place = np.mean([places[i, c] for i, c in enumerate(chosen)], axis=0)
        r = np.linalg.norm(u - place)
        return offsets[np.arange(3), chosen].sum() + 4 * r**2 + 0.5 * (1 - np.cos(12 * r))

    def truth(params):
        chosen = [options.index(params[f"c{i}"]) for i in range(3)]
        return float(truth_at(chosen, np.array([params[f"x{i}"] for i in range(3)])))

    return Instance(space, truth, 0.0)
