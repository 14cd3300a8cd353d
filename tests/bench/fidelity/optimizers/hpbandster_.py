import logging
import warnings

import numpy as np

from . import Job


class Bohb:
    """BOHB of its authors (hpbandster): its model and its brackets, with the loop of its `Master` (another bracket
    begins where all are waiting) but without the server and the clock. Ordinals are integers: it refuses them."""

    def __init__(self, space, seed, min_step, max_step, **_):
        from importlib.metadata import version

        import ConfigSpace as cs
        from hpbandster.core.dispatcher import Job as Theirs
        from hpbandster.optimizers import BOHB
        from hpbandster.optimizers.config_generators.bohb import BOHB as Model

        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        np.random.seed(seed)  # what its model draws with
        self.version, self.space, self.theirs = version("hpbandster"), space, Theirs
        configs = cs.ConfigurationSpace(seed=seed)
        for p in space:
            if p.kind == "categorical":
                configs.add_hyperparameter(cs.CategoricalHyperparameter(p.name, list(p.choices)))
            elif p.choices:
                configs.add_hyperparameter(cs.UniformIntegerHyperparameter(p.name, 0, len(p.choices) - 1))
            elif p.kind == "int":
                configs.add_hyperparameter(cs.UniformIntegerHyperparameter(p.name, int(p.low), int(p.high), log=p.log))
            else:
                configs.add_hyperparameter(cs.UniformFloatHyperparameter(p.name, p.low, p.high, log=p.log))
        master = self.master = BOHB.__new__(BOHB)
        master.eta, master.config_generator = 3, Model(configspace=configs)
        master.max_SH_iter = 1
        while min_step * 3**master.max_SH_iter <= max_step:  # its own formula loses one to rounding
            master.max_SH_iter += 1
        master.budgets = max_step * np.power(3.0, -np.linspace(master.max_SH_iter - 1, 0, master.max_SH_iter))
        master.logger = logging.getLogger("hpbandster")
        self.iterations = []
        self.best = (0.0, np.inf, None)  # budget, loss, params: its Result takes the best on the largest budget

    def ask(self):
        for each in (i for i in self.iterations if not i.is_finished):
            run = each.get_next_run()
            if run is not None:
                return self.job(*run)
        self.iterations.append(self.master.get_next_iteration(len(self.iterations), {}))
        return self.job(*self.iterations[-1].get_next_run())

    def job(self, config_id, config, budget):
        params = {}
        for p in self.space:
            value = config[p.name].item() if hasattr(config[p.name], "item") else config[p.name]
            params[p.name] = p.choices[int(value)] if p.kind == "ordinal" else value
        return Job(params, round(float(budget)), key=self.theirs(config_id, config=config, budget=budget))

    def report(self, job, step, loss):
        return True

    def done(self, job, loss):
        theirs = job.key
        theirs.result = {"loss": float(loss), "info": {}}
        self.iterations[theirs.id[0]].register_result(theirs)
        self.master.config_generator.new_result(theirs)
        if job.until > self.best[0] or (job.until == self.best[0] and loss < self.best[1]):
            self.best = job.until, loss, job.params

    def recommend(self):
        return self.best[2]
