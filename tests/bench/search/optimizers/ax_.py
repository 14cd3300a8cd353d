import logging
import warnings

import numpy as np

from space import active


class Ax:
    """Ax's client with its defaults; it sees conditional spaces flat."""

    def __init__(self, space, seed, **_):
        import ax
        from ax.api.client import Client
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

        warnings.simplefilter("ignore")
        for name in ("ax", "botorch"):
            logging.getLogger(name).setLevel(logging.ERROR)
        import torch

        torch.set_num_threads(1)
        self.version, self.space = ax.__version__, space
        axes = []
        for p in space:
            if p.choices:
                kind = "str" if isinstance(p.choices[0], str) else "int" if isinstance(p.choices[0], int) else "float"
                axes.append(ChoiceParameterConfig(name=p.name, values=list(p.choices), parameter_type=kind,
                                                  is_ordered=p.kind == "ordinal"))
            else:
                axes.append(RangeParameterConfig(name=p.name, bounds=(p.low, p.high), scaling="log" if p.log else "linear",
                                                 parameter_type="int" if p.kind == "int" else "float"))
        self.client = Client(random_seed=seed)
        self.client.configure_experiment(parameters=axes)
        self.client.configure_optimization(objective="-loss")
        self.asked, self.rng = [], np.random.default_rng(seed)

    def ask(self):
        ((index, params),) = self.client.get_next_trials(max_trials=1).items()
        params = active(self.space, dict(params))
        self.asked.append((index, params))
        return params

    def tell(self, params, loss):
        where = next(i for i, (_, asked) in enumerate(self.asked) if asked is params)
        self.client.complete_trial(self.asked.pop(where)[0], raw_data={"loss": (loss, None)})

    def recommend(self):
        params, *_ = self.client.get_best_parameterization(use_model_predictions=True)
        return active(self.space, dict(params))
