"""BoTorch as its tutorials use it: SingleTaskGP with its defaults (Hvarfner's prior, outputs standardized)."""

import warnings

import numpy as np

from space import active


class BoTorch:
    def __init__(self, space, seed, budget, parallel, noisy):
        import botorch
        import torch

        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self.torch, self.version, self.space, self.noisy = torch, botorch.__version__, space, noisy
        # Categories one-hot, the rest one column each in [0, 1].
        self.width = [len(p.choices) if p.kind == "categorical" else 1 for p in space]
        dims = sum(self.width)
        self.start = min(max(dims + 1, 5), 20)
        self.sobol = torch.quasirandom.SobolEngine(dims, scramble=True, seed=seed)
        self.points, self.losses, self.pending, self.rng = [], [], [], np.random.default_rng(seed)

    def decode(self, unit):
        out, at = {}, 0
        for p, width in zip(self.space, self.width):
            if width > 1 or p.kind == "categorical":
                out[p.name] = p.choices[int(np.argmax(unit[at:at + width]))]
            else:
                out[p.name] = p.at(min(float(unit[at]), 1 - 1e-12) if p.choices else float(unit[at]))
            at += width
        return active(self.space, out)

    def encode(self, params, unit):
        """The point as it was evaluated: on its grid, categories one-hot."""
        out, at = list(unit), 0
        for p, width in zip(self.space, self.width):
            if p.kind == "categorical" and p.name in params:
                out[at:at + width] = [1.0 if c == params[p.name] else 0.0 for c in p.choices]
            at += width
        return out

    def ask(self):
        if len(self.points) + len(self.pending) < self.start:
            unit = self.sobol.draw(1)[0].double().numpy()
        else:
            unit = self.propose()
        params = self.decode(unit)
        self.pending.append((params, self.encode(params, unit)))
        return params

    def tell(self, params, loss):
        where = next(i for i, (asked, _) in enumerate(self.pending) if asked is params)
        self.points.append(self.pending.pop(where)[1])
        self.losses.append(-loss)

    def fit(self):
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.models.transforms import Standardize
        from gpytorch.mlls import ExactMarginalLogLikelihood

        x = self.torch.tensor(np.array(self.points), dtype=self.torch.double)
        y = self.torch.tensor(np.array(self.losses), dtype=self.torch.double)[:, None]
        model = SingleTaskGP(x, y, outcome_transform=Standardize(1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return model, x, y

    def propose(self):
        from botorch.optim import optimize_acqf

        if not self.points:
            return self.sobol.draw(1)[0].double().numpy()
        model, x, y = self.fit()
        bounds = self.torch.tensor([[0.0] * x.shape[1], [1.0] * x.shape[1]], dtype=self.torch.double)
        pending = self.torch.tensor(np.array([u for _, u in self.pending]), dtype=self.torch.double) if self.pending else None
        point, _ = optimize_acqf(self.acquisition(model, x, y, pending), bounds, q=1, num_restarts=10, raw_samples=512,
                                 options={"batch_limit": 10, "maxiter": 200})
        return point[0].numpy()

    def recommend(self):
        if len(self.points) < 2:
            return None
        model, x, _ = self.fit()
        best = int(model.posterior(x).mean.argmax())
        return self.decode(x[best].numpy())


class LogEi(BoTorch):
    def acquisition(self, model, x, y, pending):
        from botorch.acquisition import LogExpectedImprovement, qLogExpectedImprovement

        if pending is None:
            return LogExpectedImprovement(model, best_f=y.max())
        return qLogExpectedImprovement(model, best_f=y.max(), X_pending=pending)


class LogNei(BoTorch):
    def acquisition(self, model, x, y, pending):
        from botorch.acquisition import qLogNoisyExpectedImprovement

        return qLogNoisyExpectedImprovement(model, x, X_pending=pending)
