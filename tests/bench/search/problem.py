"""What a problem of the benchmark is, and where the modules of problems register theirs."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable

import numpy

PROBLEMS = {}


@dataclasses.dataclass
class Instance:
    """One problem at one seed: the same for every optimizer."""

    space: list
    truth: Callable  # params -> loss without noise
    minimum: float | None  # of truth; None where nobody knows it
    noise: float = 0.0

    def observe(self, params, rng):
        return self.truth(params) + (self.noise * rng.standard_normal() if self.noise else 0.0)


@dataclasses.dataclass(frozen=True)
class Problem:
    name: str
    kind: str  # smooth, multimodal, real, plateau, heavy-tailed, noisy, categorical, mixed, conditional, high-d
    half: str  # tune: looked at while settings were chosen; held: only reported
    make: Callable  # numpy Generator -> Instance
    budget: int = 100

    def instance(self, seed: int) -> Instance:
        digest = zlib.crc32(self.name.encode())
        return self.make(numpy.random.default_rng([digest, seed]))


def problem(name, kind, half, budget=100):
    def register(make):
        PROBLEMS[name] = Problem(name, kind, half, make, budget)
        return make

    return register
