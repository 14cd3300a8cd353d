"""Workers on a simulated clock, and what an optimizer has found when how many epochs were trained."""

from __future__ import annotations

import heapq
import itertools
import math

from problem import identity

CHECKPOINTS = (3, 10, 30, 100)  # in full trainings
# Where the trace of a run is taken: 16 places per decade, the checkpoints among them.
GRID = sorted({*CHECKPOINTS, *(round(10 ** (k / 16), 3) for k in range(-8, 33))})


class Simulation:
    """Each worker asks when it is free. An epoch costs one unit of the budget and `instance.time` of the clock.

    A training goes on from where its configuration stood, whoever asks: epochs that were trained before are
    reported again at no cost. Peers that train a promoted configuration again from the start are so treated as if
    they did not.
    """

    def __init__(self, optimizer, instance, budget, workers):
        self.optimizer, self.instance, self.budget, self.workers = optimizer, instance, budget, workers
        self.spent, self.now, self.busy = 0, 0.0, 0.0
        self.trained, self.curves = {}, {}  # by identity
        self.running, self.order, self.idle = [], itertools.count(), workers
        self.lowest, self.lowest_params = math.inf, None
        self.places = [each for each in GRID if each * instance.max <= budget]
        self.taken = []  # (regret of its own incumbent, of the lowest loss, time, utilisation), along places

    def curve(self, params):
        key = identity(params)
        if key not in self.curves:
            self.curves[key] = self.instance.curve(params), self.instance.time(params)
        return self.curves[key]

    def hear(self, job, step):
        """The loss after `step`, to the optimizer; whether it wants more."""
        loss = float(self.curve(job.params)[0][step - 1])
        if loss < self.lowest:
            self.lowest, self.lowest_params = loss, job.params
        goes_on = self.optimizer.report(job, step, loss)
        if step >= job.until or goes_on is False:
            self.optimizer.done(job, loss)
            return False
        return True

    def proceed(self, job, step):
        """Trains on from `step`: at once where that was trained before. False: the job is over."""
        have = self.trained.get(identity(job.params), 0)
        while step < have:
            step += 1
            if not self.hear(job, step):
                return False
        heapq.heappush(self.running, (self.now + self.curve(job.params)[1], next(self.order), self.now, job, step + 1))
        return True

    def hand_out(self):
        """Free workers ask; one whose job costs nothing asks again. Thousands of those in a row: nothing is new."""
        free_of_charge = 0
        while self.idle and free_of_charge < 1000:
            job = self.optimizer.ask()
            if job is None:
                return
            if not job.params or job.until <= job.start:
                raise ValueError(f"a job without work: {job}")
            if self.proceed(job, job.start):
                self.idle -= 1
            else:
                free_of_charge += 1

    def record(self):
        own = self.optimizer.recommend() if hasattr(self.optimizer, "recommend") else None
        simple = self.instance.regret(self.lowest_params)
        still = sum(self.now - begun for _, _, begun, _, _ in self.running)
        used = (self.busy + still) / (self.workers * self.now)
        self.taken.append((self.instance.regret(own) if own else simple, simple, self.now, used))

    def run(self):
        self.hand_out()
        while self.running and self.spent < self.budget:
            self.now, _, begun, job, step = heapq.heappop(self.running)
            self.busy += self.now - begun
            self.spent += 1
            key = identity(job.params)
            self.trained[key] = max(self.trained.get(key, 0), step)
            if not (self.hear(job, step) and self.proceed(job, step)):
                self.idle += 1
            while len(self.taken) < len(self.places) and self.spent >= self.places[len(self.taken)] * self.instance.max:
                self.record()
            self.hand_out()
        while len(self.taken) < len(self.places) and self.taken:  # nothing more to try
            self.taken.append(self.taken[-1])
        return self
