import numpy as np

from space import active, sample


class Random:
    version = "numpy"

    def __init__(self, space, seed, **_):
        self.space, self.rng = space, np.random.default_rng([7, seed])

    def ask(self):
        return sample(self.space, self.rng)

    def tell(self, params, loss):
        pass


class Sobol:
    def __init__(self, space, seed, **_):
        import scipy
        from scipy.stats import qmc

        self.version = f"scipy {scipy.__version__}"
        self.space = space
        self.points = iter(qmc.Sobol(len(space), scramble=True, seed=seed).random(1024))

    def ask(self):
        unit = next(self.points)
        return active(self.space, {p.name: p.at(float(u)) for p, u in zip(self.space, unit)})

    def tell(self, params, loss):
        pass
