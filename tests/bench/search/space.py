"""Search spaces as the benchmark states them; every optimizer's adapter translates from these."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Parameter:
    name: str
    kind: str  # float | int | categorical | ordinal
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple = ()
    parent: str = ""  # active only where this parameter has one of `parent_values`
    parent_values: tuple = ()

    def sample(self, rng):
        if self.choices:
            return self.choices[int(rng.integers(len(self.choices)))]
        if self.kind == "int":
            if not self.log:
                return int(rng.integers(int(self.low), int(self.high) + 1))
            drawn = math.exp(rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5)))
            return int(min(max(round(drawn), self.low), self.high))
        if self.log:
            return float(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return float(rng.uniform(self.low, self.high))

    def at(self, unit: float):
        """The value at a place in [0, 1], as every quasi-random baseline decodes it."""
        if self.choices:
            return self.choices[min(int(unit * len(self.choices)), len(self.choices) - 1)]
        if self.kind == "int":
            low, high = self.low - 0.5, self.high + 0.5
            if self.log:
                raw = math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
            else:
                raw = low + unit * (high - low)
            return int(min(max(round(raw), self.low), self.high))
        if self.log:
            return math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        return self.low + unit * (self.high - self.low)


def active(space, params):
    """`params` without what is inactive in it. Parents stand before their children in `space`."""
    out = {}
    for each in space:
        if not each.parent or out.get(each.parent) in each.parent_values:
            out[each.name] = params[each.name]
    return out


def sample(space, rng):
    return active(space, {each.name: each.sample(rng) for each in space})


def unit_box(dims, low=0.0, high=1.0):
    return [Parameter(f"x{i}", "float", low, high) for i in range(dims)]


def study_yaml(space, *, name, seed, trials, parallel, algorithm, metric="loss"):
    """The study file of the same space for Betatune."""

    def text(value):
        return f'"{value}"' if isinstance(value, str) else repr(value)

    lines = ["version: 1", f"study: {{name: {name}, seed: {seed}}}",
             f"objective: {{metric: {metric}, goal: minimize}}", "parameters:"]
    for each in space:
        if each.choices:
            body = f"type: {each.kind}, values: [{', '.join(text(c) for c in each.choices)}]"
        else:
            body = f"type: {each.kind}, min: {each.low!r}, max: {each.high!r}"
            if each.kind == "int":
                body = f"type: int, min: {int(each.low)}, max: {int(each.high)}"
            if each.log:
                body += ", scale: log"
        if each.parent:
            body += f", when: {{{each.parent}: [{', '.join(text(v) for v in each.parent_values)}]}}"
        lines.append(f"  {each.name}: {{{body}}}")
    lines += [f"algorithm: {algorithm}", f"stopping: {{trials: {trials}}}",
              f"trials: {{parallel: {parallel}, max_failed: {trials}}}", "trainer: {external: true}"]
    return "\n".join(lines) + "\n"
