import numpy as np


class Hyperopt:
    def __init__(self, space, seed, **_):
        import hyperopt
        from hyperopt import base, hp

        self.hyperopt, self.space = hyperopt, space
        self.version = hyperopt.__version__
        children = {}
        for p in space:
            children.setdefault(p.parent, []).append(p)
        self.domain = base.Domain(lambda _: 0.0, self.build(hp, children, "", None))
        self.trials, self.rng = base.Trials(), np.random.default_rng(seed)
        self.asked = []

    def build(self, hp, children, parent, value, prefix=""):
        """Parameters of `parent` at `value`; a choice opens the branch of each of its values."""
        out = {}
        for p in children.get(parent, []):
            if parent and value not in p.parent_values:
                continue
            label = f"{prefix}{p.name}"
            if p.choices:
                out[p.name] = hp.choice(label, [
                    {"=": c, **self.build(hp, children, p.name, c, f"{label}={c}:")} for c in p.choices])
            elif p.kind == "int":
                axis = hp.qloguniform(label, np.log(p.low - 0.49), np.log(p.high + 0.49), 1) if p.log else hp.quniform(
                    label, p.low - 0.49, p.high + 0.49, 1)
                out[p.name] = axis
            elif p.log:
                out[p.name] = hp.loguniform(label, np.log(p.low), np.log(p.high))
            else:
                out[p.name] = hp.uniform(label, p.low, p.high)
        return out

    def flatten(self, point, out):
        kinds = {p.name: p for p in self.space}
        for name, value in point.items():
            if name == "=":
                continue
            if isinstance(value, dict):
                out[name] = value["="]
                self.flatten(value, out)
            elif kinds[name].kind == "int":
                out[name] = int(min(max(round(value), kinds[name].low), kinds[name].high))
            else:
                out[name] = float(value)
        return out

    def ask(self):
        (number,) = self.trials.new_trial_ids(1)
        self.trials.refresh()
        (doc,) = self.hyperopt.tpe.suggest([number], self.domain, self.trials, int(self.rng.integers(2**31 - 1)))
        self.trials.insert_trial_docs([doc])
        self.trials.refresh()
        point = self.hyperopt.space_eval(self.domain.expr, {k: v[0] for k, v in doc["misc"]["vals"].items() if v})
        params = self.flatten(point, {})
        self.asked.append((number, params))
        return params

    def tell(self, params, loss):
        where = next(i for i, (_, asked) in enumerate(self.asked) if asked is params)
        number = self.asked.pop(where)[0]
        doc = next(d for d in self.trials._dynamic_trials if d["tid"] == number)
        doc["state"], doc["result"] = self.hyperopt.JOB_STATE_DONE, {"status": "ok", "loss": loss}
        self.trials.refresh()
