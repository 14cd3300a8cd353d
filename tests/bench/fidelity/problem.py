"""What a problem of learning curves is, and where the modules of problems register theirs."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import sys
import zlib
from collections.abc import Callable

import numpy

# The spaces of the search benchmark; its other modules have namesakes here, which go first.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "search"))

PROBLEMS = {}


def same_time(params):
    """An epoch of every configuration takes one unit of time."""
    return 1.0


@dataclasses.dataclass
class Instance:
    """One problem at one seed: the same for every optimizer."""

    space: list
    max: int  # epochs of a full training
    curve: Callable  # params -> losses after epochs 1 .. max, as they are observed; the same whenever it is asked
    minimum: float  # the lowest final loss there is, without noise
    final: Callable | None = None  # params -> loss after `max` epochs without noise; None: the curve's end
    time: Callable = same_time  # params -> time of an epoch
    min: int = 1

    def regret(self, params):
        reached = self.final(params) if self.final else float(self.curve(params)[-1])
        return max(reached - self.minimum, 0.0)


@dataclasses.dataclass(frozen=True)
class Problem:
    name: str
    half: str  # tune: looked at while settings were chosen; held: only reported
    make: Callable  # numpy Generator -> Instance

    def instance(self, seed: int) -> Instance:
        digest = zlib.crc32(self.name.encode())
        return self.make(numpy.random.default_rng([digest, seed]))


def problem(name, half):
    def register(make):
        PROBLEMS[name] = Problem(name, half, make)
        return make

    return register


def identity(params):
    """A configuration as a key: trainings of equal configurations are one training."""
    return tuple(sorted(params.items()))


def coordinate(parameter, value):
    """The place of a value in [0, 1] on its parameter's scale; of a choice, by its index."""
    if parameter.choices:
        return parameter.choices.index(value) / max(len(parameter.choices) - 1, 1)
    if parameter.log:
        return math.log(value / parameter.low) / math.log(parameter.high / parameter.low)
    return (value - parameter.low) / (parameter.high - parameter.low)
