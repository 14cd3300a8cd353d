"""Synthetic functions with the optimum moved to a random place of the box, never its centre or a corner."""

import numpy as np

from problem import Instance, problem
from space import unit_box

# The optimum lies in this part of each axis; the centre tenth is left out too.
INNER, OUTER = 0.05, 0.38


def random_place(rng, dims):
    """A point of the unit box, each coordinate 0.05 to 0.38 away from 1/2."""
    return 0.5 + rng.choice([-1.0, 1.0], dims) * rng.uniform(INNER, OUTER, dims)


def shifted(rng, function, dims, span, optimum, minimum, noise=0.0):
    """`function` on a box as wide as [-span, span], its `optimum` moved to a random place."""
    place = random_place(rng, dims)

    def truth(params):
        u = np.array([params[f"x{i}"] for i in range(dims)])
        return float(function(optimum + 2 * span * (u - place)))

    return Instance(unit_box(dims), truth, minimum, noise)


def rosenbrock(z):
    return np.sum(100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2)


def levy(z):
    w = 1 + (z - 1) / 4
    inner = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)
    return np.sin(np.pi * w[0]) ** 2 + inner.sum() + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)


def ackley(z):
    return (-20 * np.exp(-0.2 * np.sqrt(np.mean(z**2))) - np.exp(np.mean(np.cos(2 * np.pi * z))) + 20 + np.e)


def rastrigin(z):
    return 10 * len(z) + np.sum(z**2 - 10 * np.cos(2 * np.pi * z))


def griewank(z):
    return 1 + np.sum(z**2) / 4000 - np.prod(np.cos(z / np.sqrt(np.arange(1, len(z) + 1))))


def dixon_price(z):
    index = np.arange(2, len(z) + 1)
    return (z[0] - 1) ** 2 + np.sum(index * (2 * z[1:] ** 2 - z[:-1]) ** 2)


def styblinski_tang(z):
    return np.sum(z**4 - 16 * z**2 + 5 * z) / 2 + 39.16616570377142 * len(z)


HARTMANN6_A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14],
                        [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
HARTMANN6_P = 1e-4 * np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                               [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]])
HARTMANN6_AT = np.array([0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054])


def hartmann6(z):
    return -np.exp(-np.sum(HARTMANN6_A * (z - HARTMANN6_P) ** 2, axis=1)) @ np.array([1, 1.2, 3, 3.2])


def branin(z):
    x, y = z
    return (y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10


def dixon_price_at(dims):
    return 2.0 ** (-(2.0 ** np.arange(1, dims + 1) - 2) / 2.0 ** np.arange(1, dims + 1))


def define(name, half, function, dims, span, optimum, minimum=0.0, kind="smooth"):
    @problem(name, kind, half)
    def make(rng):
        return shifted(rng, function, dims, span, np.broadcast_to(optimum, (dims,)), minimum)


define("branin", "held", branin, 2, 7.5, np.array([np.pi, 2.275]), 0.39788735772973816)
define("rosenbrock-4", "tune", rosenbrock, 4, 2.0, 1.0)
define("rosenbrock-8", "held", rosenbrock, 8, 2.0, 1.0)
define("levy-5", "tune", levy, 5, 10.0, 1.0)
define("dixon-price-6", "held", dixon_price, 6, 5.0, dixon_price_at(6))
define("hartmann-6", "tune", hartmann6, 6, 0.5, HARTMANN6_AT, -3.322368011415515)
define("styblinski-tang-5", "held", styblinski_tang, 5, 5.0, -2.903534027771177, kind="multimodal")
define("ackley-5", "tune", ackley, 5, 20.0, 0.0, kind="multimodal")
define("rastrigin-4", "held", rastrigin, 4, 5.12, 0.0, kind="multimodal")
define("griewank-6", "tune", griewank, 6, 50.0, 0.0, kind="multimodal")


@problem("hartmann-6-in-100", "high-d", "tune")
def hartmann6_in_100(rng):
    """Six of a hundred parameters matter, and nobody says which."""
    axes = rng.permutation(100)[:6]
    place = random_place(rng, 6)

    def truth(params):
        u = np.array([params[f"x{i}"] for i in axes])
        return float(hartmann6(HARTMANN6_AT + (u - place)))

    return Instance(unit_box(100), truth, -3.322368011415515)


@problem("levy-30", "high-d", "held")
def levy_30(rng):
    return shifted(rng, levy, 30, 10.0, np.ones(30), 0.0)


def noisy(name, half, function, dims, span, optimum, minimum, sd):
    @problem(name, "noisy", half)
    def make(rng):
        return shifted(rng, function, dims, span, np.broadcast_to(optimum, (dims,)), minimum, noise=sd)


noisy("noisy-branin", "tune", branin, 2, 7.5, np.array([np.pi, 2.275]), 0.39788735772973816, 5.0)
noisy("noisy-hartmann-6", "held", hartmann6, 6, 0.5, HARTMANN6_AT, -3.322368011415515, 0.3)
noisy("noisy-levy-4", "tune", levy, 4, 10.0, 1.0, 0.0, 2.0)
noisy("noisy-rosenbrock-3", "held", rosenbrock, 3, 2.0, 1.0, 0.0, 10.0)
