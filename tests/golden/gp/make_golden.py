#!/usr/bin/env python3
"""Makes the golden values of the Gaussian process: *.json beside this file.

    python3 -m venv VENV && VENV/bin/pip install -r requirements.txt && VENV/bin/python make_golden.py

Nothing here shares code with the program: scikit-learn gives posteriors and marginal likelihoods,
mpmath the tails of the normal distribution with 50 digits, SciPy the Sobol sequence. The mixed case
is computed in NumPy from the definition of the kernel.
"""

import json
import pathlib

import mpmath
import numpy as np
from scipy.stats import qmc
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

HERE = pathlib.Path(__file__).parent


def write(name, value):
    (HERE / name).write_text(json.dumps(value) + "\n")


def numeric_case(n, d, noise, amplitude, seed):
    rng = np.random.default_rng(seed)
    x, x_new = rng.random((n, d)), rng.random((7, d))
    lengthscales = rng.uniform(0.15, 1.5, d)
    y = np.sin(6 * x).sum(axis=1)
    y = (y - y.mean()) / y.std() if n > 1 else np.array([0.7])
    kernel = ConstantKernel(amplitude) * Matern(lengthscales, nu=2.5) + WhiteKernel(noise)
    gp = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(x, y)
    value, gradient = gp.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    mean, cov = gp.predict(x_new, return_cov=True)
    return {
        "points": x.tolist(),
        "outputs": y.tolist(),
        "lengthscales": lengthscales.tolist(),
        "noise": noise,
        "amplitude": amplitude,
        "log_marginal_likelihood": value,
        # By the logarithms of the length-scales, the noise and the amplitude.
        "gradient": [*gradient[1:], gradient[0]],
        "new_points": x_new.tolist(),
        "mean": mean.tolist(),
        # Of the function itself: without the noise that scikit-learn adds.
        "variance": (np.diag(cov) - noise).tolist(),
    }


def squared_distance(column, a, b):
    """Per column, of two coordinates of which None is inactive; see optimizer/gp/feature_map.hpp."""
    if a is None and b is None:
        return 0.0
    if column == "choice":
        return 0.5 if a is None or b is None else float(a != b)
    if a is None or b is None:
        return 1.0
    return 2 - 2 * np.cos(a - b) if column == "conditional" else (a - b) ** 2


def mixed_case():
    rng = np.random.default_rng(5)
    columns = ["line", "choice", "conditional", "conditional choice"]
    kinds = ["line", "choice", "conditional", "choice"]

    def draw(count):
        rows = []
        for _ in range(count):
            active = rng.random() < 0.5
            rows.append([rng.random(), (rng.integers(3) + 0.5) / 3,
                         rng.random() if active else None,
                         (rng.integers(4) + 0.5) / 4 if active else None])
        return rows

    lengthscales, noise = np.array([0.4, 1.1, 0.7, 0.9]), 0.01

    def kernel(a, b):
        distance = np.array([[sum(squared_distance(k, p, q) / w**2
                                  for k, p, q, w in zip(kinds, x, z, lengthscales))
                              for z in b] for x in a])
        r = np.sqrt(5 * distance)
        return (1 + r + r**2 / 3) * np.exp(-r)

    x, x_new = draw(12), draw(6)
    y = rng.standard_normal(12)
    k = kernel(x, x) + noise * np.eye(12)
    cross = kernel(x, x_new)
    _, logdet = np.linalg.slogdet(k)
    return {
        "columns": columns,
        "points": x,
        "outputs": y.tolist(),
        "lengthscales": lengthscales.tolist(),
        "noise": noise,
        "amplitude": 1.0,
        "log_marginal_likelihood":
            -0.5 * y @ np.linalg.solve(k, y) - 0.5 * logdet - 6 * np.log(2 * np.pi),
        "new_points": x_new,
        "mean": (cross.T @ np.linalg.solve(k, y)).tolist(),
        "variance": (1 - np.sum(cross * np.linalg.solve(k, cross), axis=0)).tolist(),
    }


def improvement_case(z):
    with mpmath.workdps(50):
        z = mpmath.mpf(z)
        h = mpmath.npdf(z) + z * mpmath.ncdf(z)
        return {
            "z": float(z),
            "log_h": float(mpmath.log(h)),
            "cdf_over_h": float(mpmath.ncdf(z) / h),
            "pdf_over_h": float(mpmath.npdf(z) / h),
            "log_ndtr": float(mpmath.log(mpmath.ncdf(z))),
        }


def main():
    write("regression.json", [numeric_case(1, 2, 0.1, 1.0, 1), numeric_case(9, 3, 1e-2, 2.5, 2),
                              numeric_case(60, 6, 1e-4, 0.3, 3),
                              numeric_case(130, 10, 3e-3, 20.0, 4)])
    write("mixed.json", mixed_case())
    steps = [-40, -39.5, -30, -20, -12, -8, -6, -5.001, -5, -4.999, -4, -3, -2, -1, -0.5, 0, 0.25,
             1, 2, 4, 6, 10, 30]
    write("log_ei.json", [improvement_case(z) for z in steps])
    # Integers: multiples of 2^-32, bit for bit.
    points = qmc.Sobol(40, scramble=False, bits=32).random(64)
    write("sobol.json", {"dims": 40, "points": (points * 2.0**32).astype(np.uint64).tolist()})


if __name__ == "__main__":
    main()
