import warnings

from space import active


class Hebo:
    """HEBO with its defaults; it sees conditional spaces flat, and knows nothing of running trials."""

    def __init__(self, space, seed, **_):
        import numpy as np
        import torch
        from importlib.metadata import version

        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        np.random.seed(seed)
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.hebo import HEBO

        self.version, self.space = version("HEBO"), space
        axes = []
        for p in space:
            if p.choices:
                axes.append({"name": p.name, "type": "cat", "categories": list(p.choices)})
            elif p.kind == "int":
                axes.append({"name": p.name, "type": "pow_int" if p.log else "int",
                             "lb": int(p.low), "ub": int(p.high), **({"base": 10} if p.log else {})})
            else:
                axes.append({"name": p.name, "type": "pow" if p.log else "num", "lb": p.low, "ub": p.high,
                             **({"base": 10} if p.log else {})})
        self.optimizer = HEBO(DesignSpace().parse(axes), scramble_seed=seed)
        self.asked = []

    def ask(self):
        frame = self.optimizer.suggest(n_suggestions=1)
        row = {k: (v.item() if hasattr(v, "item") else v) for k, v in frame.iloc[0].items()}
        for p in self.space:
            if p.kind == "int":
                row[p.name] = int(min(max(round(row[p.name]), p.low), p.high))
        params = active(self.space, row)
        self.asked.append((frame, params))
        return params

    def tell(self, params, loss):
        import numpy as np

        where = next(i for i, (_, asked) in enumerate(self.asked) if asked is params)
        self.optimizer.observe(self.asked.pop(where)[0], np.array([[loss]]))
