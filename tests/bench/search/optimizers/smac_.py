import tempfile


class Smac:
    """SMAC3's hyper-parameter facade: a random forest, made for mixed and conditional spaces."""

    def __init__(self, space, seed, budget, parallel, noisy):
        from importlib.metadata import version

        from ConfigSpace import (Categorical, ConfigurationSpace, EqualsCondition, Float, InCondition, Integer)
        from smac import HyperparameterOptimizationFacade, Scenario

        self.version = version("smac")
        axes, configs = {}, ConfigurationSpace(seed=seed)
        for p in space:
            if p.choices:
                axes[p.name] = Categorical(p.name, list(p.choices), ordered=p.kind == "ordinal")
            elif p.kind == "int":
                axes[p.name] = Integer(p.name, (int(p.low), int(p.high)), log=p.log)
            else:
                axes[p.name] = Float(p.name, (p.low, p.high), log=p.log)
        configs.add(list(axes.values()))
        for p in space:
            if p.parent:
                child, parent = axes[p.name], axes[p.parent]
                configs.add(EqualsCondition(child, parent, p.parent_values[0]) if len(p.parent_values) == 1
                            else InCondition(child, parent, list(p.parent_values)))
        self.folder = tempfile.TemporaryDirectory(prefix="smac-bench-")
        scenario = Scenario(configs, output_directory=self.folder.name, n_trials=budget, seed=seed,
                            deterministic=True)
        self.facade = HyperparameterOptimizationFacade(scenario, lambda config, seed=0: 0.0, overwrite=True,
                                                       logging_level=False)
        self.asked = []

    def ask(self):
        info = self.facade.ask()
        params = {k: (v.item() if hasattr(v, "item") else v) for k, v in dict(info.config).items()}
        self.asked.append((info, params))
        return params

    def tell(self, params, loss):
        from smac.runhistory import TrialValue

        where = next(i for i, (_, asked) in enumerate(self.asked) if asked is params)
        self.facade.tell(self.asked.pop(where)[0], TrialValue(cost=loss))

    def close(self):
        self.folder.cleanup()
