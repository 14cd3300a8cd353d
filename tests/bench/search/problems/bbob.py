"""Functions of COCO's BBOB suite; the seed picks the instance. source: PyPI coco-experiment"""

import os
import tempfile

import cocoex

from problem import Instance, problem
from space import unit_box


def optimum_of(wrapped):
    """Where the minimum is: the library only writes it to a file in the working folder."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            wrapped._best_parameter("print")
            with open("._bbob_problem_best_parameter.txt", encoding="ascii") as file:
                return [float(each) for each in file.read().split()]
        finally:
            os.chdir(before)


def define(function, dims, kind, half):
    name = f"bbob-f{function:02d}-{dims}"

    @problem(name, kind, half)
    def make(rng):
        instance = int(rng.integers(1, 1001))
        suite = cocoex.Suite("bbob", f"instances:{instance}",
                             f"dimensions:{dims} function_indices:{function}")
        wrapped = suite[0]
        keep = (suite, wrapped)  # a problem dies with its suite

        def truth(params):
            return float(keep[1]([params[f"x{i}"] for i in range(dims)]))

        return Instance(unit_box(dims, -5.0, 5.0), truth, float(wrapped(optimum_of(wrapped))))


define(2, 2, "smooth", "held")  # separable ellipsoid
define(8, 5, "smooth", "held")  # Rosenbrock
define(6, 10, "smooth", "tune")  # attractive sector
define(10, 5, "smooth", "tune")  # rotated ellipsoid
define(13, 10, "smooth", "held")  # sharp ridge
define(15, 5, "multimodal", "tune")  # rotated Rastrigin
define(17, 5, "multimodal", "held")  # Schaffer F7
define(21, 5, "multimodal", "tune")  # Gallagher, 101 peaks
define(22, 2, "multimodal", "held")  # Gallagher, 21 peaks
define(20, 20, "high-d", "held")  # Schwefel
define(1, 40, "high-d", "tune")  # sphere
define(7, 10, "plateau", "held")  # step ellipsoid
