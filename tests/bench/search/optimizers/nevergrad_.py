import warnings

from space import active


class NgOpt:
    def __init__(self, space, seed, budget, parallel, **_):
        import nevergrad as ng
        import numpy as np

        warnings.simplefilter("ignore")
        self.version, self.space = ng.__version__, space
        self.parameters = ng.p.Dict(**{p.name: self.axis(ng, p) for p in space})
        self.parameters.random_state = np.random.RandomState(seed)
        self.optimizer = ng.optimizers.NGOpt(self.parameters, budget=budget, num_workers=parallel)
        self.asked = []

    @staticmethod
    def axis(ng, p):
        if p.choices:
            return (ng.p.TransitionChoice if p.kind == "ordinal" else ng.p.Choice)(list(p.choices))
        axis = ng.p.Log(lower=p.low, upper=p.high) if p.log else ng.p.Scalar(lower=p.low, upper=p.high)
        return axis.set_integer_casting() if p.kind == "int" else axis

    def ask(self):
        candidate = self.optimizer.ask()
        params = active(self.space, {k: v for k, v in candidate.value.items()})
        self.asked.append((candidate, params))
        return params

    def tell(self, params, loss):
        where = next(i for i, (_, asked) in enumerate(self.asked) if asked is params)
        self.optimizer.tell(self.asked.pop(where)[0], loss)
        
    def recommend(self):
        return active(self.space, dict(self.optimizer.recommend().value))
