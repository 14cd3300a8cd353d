import math

import numpy as np

from problem import identity
from space import sample

from . import Job


class Random:
    """Random search with full training: the unit of the tables."""

    version = "numpy"

    def __init__(self, space, seed, max_step, **_):
        self.space, self.max, self.rng = space, max_step, np.random.default_rng([7, seed])

    def ask(self):
        return Job(sample(self.space, self.rng), self.max)

    def report(self, job, step, loss):
        return True

    def done(self, job, loss):
        pass


class OneEpoch:
    """Random configurations for one epoch each; so that each checkpoint finds it trained, the best of them is
    trained to the end just before (Egele et al. 2023, arXiv:2307.15422). That training is part of the budget; it is
    none if the best is still the one of the checkpoint before."""

    version = "numpy"

    def __init__(self, space, seed, min_step, max_step, checkpoints, **_):
        self.space, self.min, self.max = space, min_step, max_step
        self.rng, self.checkpoints = np.random.default_rng([7, seed]), list(checkpoints)
        self.given = 0  # epochs, those of running jobs included
        self.best, self.lowest = None, math.inf
        self.trained = {}  # identity -> (final loss, params); infinite while it runs
        self.exploring, self.finishing = 0, False

    def ask(self):
        if self.finishing:
            return None
        if self.checkpoints and self.given + self.max > self.checkpoints[0]:
            if self.exploring:  # what still runs may be better
                return None
            self.checkpoints.pop(0)
            if self.best and identity(self.best) not in self.trained:
                self.finishing = True
                self.trained[identity(self.best)] = math.inf, self.best
                self.given += self.max - self.min
                return Job(self.best, self.max, start=self.min, key="finish")
        self.given += self.min
        self.exploring += 1
        return Job(sample(self.space, self.rng), self.min)

    def report(self, job, step, loss):
        return True

    def done(self, job, loss):
        if job.key == "finish":
            self.finishing = False
            self.trained[identity(job.params)] = loss, job.params
            return
        self.exploring -= 1
        if loss < self.lowest:
            self.best, self.lowest = job.params, loss

    def recommend(self):
        """Of those trained to the end the lowest, or else the best after one epoch."""
        loss, params = min(self.trained.values(), key=lambda each: each[0], default=(math.inf, None))
        return params if loss < math.inf else self.best
