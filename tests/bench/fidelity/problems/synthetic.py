"""Power laws: the loss after t epochs is floor(x) + amplitude(x) * t^-rate(x), with a term of its own per problem.

Each is built from its end: final(x) = base + a bowl round an optimum that the seed draws, and
curve(x, t) = final(x) + amplitude(x) * (t^-rate(x) - R^-rate(x)), which is that power law with
floor(x) = final(x) - amplitude(x) * R^-rate(x). So the lowest final loss is known exactly, whatever the rates are.
"""

import zlib

import numpy as np

from problem import Instance, coordinate, identity, problem
from space import Parameter

LR = Parameter("lr", "float", 1e-5, 1.0, log=True)
DECAY = Parameter("weight_decay", "float", 1e-7, 1e-1, log=True)
MOMENTUM = Parameter("momentum", "float", 0.0, 0.99)
DROPOUT = Parameter("dropout", "float", 0.0, 0.8)
WIDTH = Parameter("width", "int", 16, 1024, log=True)
BATCH = Parameter("batch_size", "ordinal", choices=(16, 32, 64, 128, 256, 512))


class Bowl:
    """What a configuration lacks at the end: quadratic near the optimum, linear far from it, learning rate and
    batch size coupled as in practice (a larger batch wants a larger rate)."""

    def __init__(self, rng, space, weights, low=0.2, high=0.8, coupling=0.4):
        self.space, self.weights, self.coupling = space, np.array(weights, dtype=float), coupling
        drawn = {p.name: p.at(float(rng.uniform(low, high))) for p in space}  # on the grid of integers and ordinals
        self.optimum = self.place(drawn)

    def place(self, params):
        return np.array([coordinate(p, params[p.name]) for p in self.space])

    def offsets(self, params):
        offset = self.place(params) - self.optimum
        names = [p.name for p in self.space]
        if "batch_size" in names:
            offset[names.index("lr")] -= self.coupling * offset[names.index("batch_size")]
        return offset

    def __call__(self, params):
        distance = float((self.weights * self.offsets(params) ** 2).sum()) ** 0.5
        return 0.4 * distance**2 / (0.15 + distance)


def power_law(final, amplitude, rate, epochs):
    t = np.arange(1, epochs + 1, dtype=float)
    return final + amplitude * (t**-rate - float(epochs) ** -rate)


def noise(rng, deviation):
    """Per-epoch noise that belongs to the configuration, so that training it again gives the same curve."""
    salt = int(rng.integers(2**31))

    def of(params, epochs):
        own = np.random.default_rng([salt, zlib.crc32(repr(identity(params)).encode())])
        return deviation * own.standard_normal(epochs)

    return of


def wider_is_slower(params):
    """Times of an epoch from 0.5 to 2 units: trainings that run side by side do not end together."""
    return 0.5 * 4.0 ** coordinate(WIDTH, params["width"])


@problem("nested-4", "tune")
def nested(rng):
    """Curves that are parallel: who is ahead after one epoch is ahead at the end."""
    space = [LR, DECAY, MOMENTUM, WIDTH]
    bowl, base = Bowl(rng, space, [6, 1, 2, 1]), 0.2
    return Instance(space, 27, lambda p: power_law(base + bowl(p), 1.0, 0.7, 27), base, time=wider_is_slower)


@problem("crossing-4", "tune")
def crossing(rng):
    """Low learning rates start slowly and end low: the first epochs favour rates above the best one."""
    space = [LR, DECAY, BATCH, DROPOUT]
    bowl, base = Bowl(rng, space, [5, 1, 1.5, 1.5], 0.15, 0.55), 0.2

    def curve(p):
        speed = coordinate(LR, p["lr"]) - 0.5 * coordinate(DROPOUT, p["dropout"])
        return power_law(base + bowl(p), 1.5, np.clip(0.5 + 0.7 * (speed - 0.2), 0.15, 1.5), 27)

    return Instance(space, 27, curve, base)


@problem("diverging-3", "tune")
def diverging(rng):
    """A heavy tail: above a learning rate that momentum lowers, just beyond the best one, losses explode."""
    space = [LR, MOMENTUM, DECAY]
    bowl, base = Bowl(rng, space, [8, 2, 1], 0.3, 0.7), 0.1
    edge = bowl.optimum[0] + 0.35 * bowl.optimum[1] + 0.1
    beyond = lambda p: coordinate(LR, p["lr"]) + 0.35 * coordinate(MOMENTUM, p["momentum"]) - edge  # noqa: E731

    def curve(p):
        over = max(beyond(p), 0.0)
        t = np.arange(1, 28)
        rate = np.clip(0.3 + coordinate(LR, p["lr"]), 0.2, 1.2)
        return power_law(base + bowl(p), 1.0, rate, 27) + np.expm1(np.minimum(6.0 * over * np.sqrt(t), 8.0))

    return Instance(space, 27, curve, base)


@problem("category-5", "held")
def category(rng):
    """Three optimizers with learning rates, speeds and floors of their own; the fastest does not end best."""
    kinds = ("sgd", "adam", "lion")
    space = [Parameter("optimizer", "categorical", choices=kinds), LR, BATCH, WIDTH, DECAY]
    base = 0.15
    order = [str(k) for k in rng.permutation(kinds)]
    bowls = {k: Bowl(rng, space[1:], [6, 1, 1, 0.7]) for k in kinds}
    floor = dict(zip(order, (0.0, 0.05, 0.15)))
    speed = dict(zip(order, (0.5, 0.9, 0.4)))
    wobble = noise(rng, 0.003)
    final = lambda p: base + floor[p["optimizer"]] + bowls[p["optimizer"]](p)  # noqa: E731

    def curve(p):
        kind = p["optimizer"]
        rate = np.clip(speed[kind] + 0.6 * (coordinate(LR, p["lr"]) - bowls[kind].optimum[0]), 0.1, 1.5)
        return power_law(final(p), 1.2, rate, 27) + wobble(p, 27)

    return Instance(space, 27, curve, base, final, wider_is_slower)


@problem("overfit-4", "held")
def overfit(rng):
    """Curves that rise late, the earlier and more the larger the model and the less it is regularised."""
    space = [LR, WIDTH, DROPOUT, DECAY]
    bowl, base, epochs = Bowl(rng, space, [4, 2, 2, 1], 0.25, 0.75), 0.25, 81
    wobble = noise(rng, 0.003)
    final = lambda p: base + bowl(p)  # noqa: E731

    def curve(p):
        lr, width, dropout, decay = bowl.offsets(p)
        excess = np.clip(width - dropout - 0.5 * decay, -0.3, 1.2) + 0.3  # of capacity
        begin = 1 + epochs * np.clip(0.7 - 0.5 * excess, 0.1, 0.7)
        t = np.arange(1, epochs + 1)
        risen = (np.maximum(t - begin, 0.0) / (epochs - begin)) ** 1.5  # 1 at the end
        rate = np.clip(0.6 + 0.5 * excess + 0.8 * lr, 0.15, 1.5)
        return power_law(final(p), 1.2, rate, epochs) - 0.2 * excess * (1.0 - risen) + wobble(p, epochs)

    return Instance(space, epochs, curve, base, final, wider_is_slower)


@problem("noisy-6", "held")
def noisy(rng):
    """Six parameters, noise in each epoch, and speeds that have little to do with the end."""
    space = [LR, DECAY, MOMENTUM, BATCH, WIDTH, DROPOUT]
    bowl, base, epochs = Bowl(rng, space, [6, 1, 2, 1, 1, 0.5]), 0.2, 81
    wobble = noise(rng, 0.01)
    tilt = rng.normal(0.0, 0.4, len(space))
    final = lambda p: base + bowl(p)  # noqa: E731

    def curve(p):
        rate = np.clip(0.6 + float(tilt @ (bowl.place(p) - 0.5)) + 0.5 * bowl.offsets(p)[0], 0.15, 1.5)
        return power_law(final(p), 1.0, rate, epochs) + wobble(p, epochs)

    return Instance(space, epochs, curve, base, final, wider_is_slower)
