"""Cross-validated models on the data that scikit-learn brings; the seed draws the folds.

The lowest loss of a real model is not known: report.py takes the lowest that any run of the results has seen.
"""

import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from problem import Instance, problem
from space import Parameter

def cached(function):
    """The same configuration is trained once per process."""
    known = {}

    def truth(params):
        key = tuple(sorted(params.items()))
        if key not in known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                known[key] = float(function(params))
        return known[key]

    return truth


def real(name, kind, half):
    """The maker gets the seed of the folds and returns (space, loss)."""

    def register(make):
        @problem(name, kind, half)
        def build(rng):
            folds = int(rng.integers(1, 1_000_000))
            space, loss = make(folds)
            return Instance(space, cached(loss), None)

        return build

    return register


def thinned(load, every):
    """A data set, its columns standardized; `every` n-th row, so that a run takes seconds."""
    x, y = load(return_X_y=True)
    return StandardScaler().fit_transform(x)[::every], y[::every]


def error_rate(model, x, y, folds, splits=3):
    """Misclassified share in cross-validation."""
    cut = StratifiedKFold(splits, shuffle=True, random_state=folds)
    return 1 - np.mean(cross_val_predict(model, x, y, cv=cut) == y)


def log_loss_of(model, x, y, folds, splits=3):
    cut = StratifiedKFold(splits, shuffle=True, random_state=folds)
    p = cross_val_predict(model, x, y, cv=cut, method="predict_proba")[np.arange(len(y)), y]
    return -np.mean(np.log(np.maximum(p, 1e-9)))


def mean_squared(model, x, y, folds, splits=3):
    cut = KFold(splits, shuffle=True, random_state=folds)
    return np.mean((cross_val_predict(model, x, y, cv=cut) - y) ** 2)


@real("svm-breast-cancer", "plateau", "tune")
def svm_breast_cancer(folds):
    x, y = thinned(load_breast_cancer, 2)
    space = [Parameter("C", "float", 1e-3, 1e4, log=True), Parameter("gamma", "float", 1e-6, 1e1, log=True),
             Parameter("kernel", "categorical", choices=("rbf", "sigmoid"))]
    return space, lambda p: error_rate(SVC(C=p["C"], gamma=p["gamma"], kernel=p["kernel"]), x, y, folds)


@real("tree-digits", "real", "held")
def tree_digits(folds):
    x, y = thinned(load_digits, 3)
    space = [Parameter("max_depth", "int", 2, 20), Parameter("min_samples_split", "int", 2, 64, log=True),
             Parameter("min_samples_leaf", "int", 1, 32, log=True), Parameter("max_features", "float", 0.05, 1.0),
             Parameter("ccp_alpha", "float", 1e-6, 1e-1, log=True),
             Parameter("criterion", "categorical", choices=("gini", "entropy"))]
    return space, lambda p: error_rate(DecisionTreeClassifier(random_state=0, **p), x, y, folds)


@real("svr-diabetes", "real", "tune")
def svr_diabetes(folds):
    x, y = thinned(load_diabetes, 1)
    y = (y - y.mean()) / y.std()
    space = [Parameter("C", "float", 1e-3, 1e3, log=True), Parameter("gamma", "float", 1e-5, 1e1, log=True),
             Parameter("epsilon", "float", 1e-3, 1e0, log=True)]
    return space, lambda p: mean_squared(SVR(**p), x, y, folds)


@real("elastic-net-diabetes", "real", "held")
def elastic_net_diabetes(folds):
    x, y = thinned(load_diabetes, 1)
    y = (y - y.mean()) / y.std()
    space = [Parameter("alpha", "float", 1e-5, 1e1, log=True), Parameter("l1_ratio", "float", 0.0, 1.0),
             Parameter("degree", "int", 1, 2), Parameter("interactions", "categorical", choices=("yes", "no"))]

    def loss(p):
        lift = PolynomialFeatures(p["degree"], interaction_only=p["interactions"] == "yes", include_bias=False)
        net = ElasticNet(alpha=p["alpha"], l1_ratio=p["l1_ratio"], max_iter=100)
        return mean_squared(make_pipeline(lift, StandardScaler(), net), x, y, folds)

    return space, loss


@real("neighbours-wine", "plateau", "held")
def neighbours_wine(folds):
    x, y = thinned(load_wine, 1)
    space = [Parameter("n_neighbors", "int", 1, 60, log=True), Parameter("p", "float", 1.0, 6.0),
             Parameter("weights", "categorical", choices=("uniform", "distance"))]
    space += [Parameter(f"weight{i}", "float", 0.0, 2.0) for i in range(13)]

    def loss(p):
        scaled = x * np.array([p[f"weight{i}"] for i in range(13)])
        model = KNeighborsClassifier(p["n_neighbors"], p=p["p"], weights=p["weights"], algorithm="brute")
        return log_loss_of(model, scaled, y, folds)

    return space, loss


@real("pipeline-breast-cancer", "conditional", "tune")
def pipeline(folds):
    """Which model, and the parameters of that one."""
    x, y = thinned(load_breast_cancer, 2)
    space = [
        Parameter("model", "categorical", choices=("logistic", "svm", "tree", "neighbours")),
        Parameter("logistic_C", "float", 1e-4, 1e3, log=True, parent="model", parent_values=("logistic",)),
        Parameter("svm_C", "float", 1e-3, 1e4, log=True, parent="model", parent_values=("svm",)),
        Parameter("svm_gamma", "float", 1e-6, 1e1, log=True, parent="model", parent_values=("svm",)),
        Parameter("tree_depth", "int", 1, 16, parent="model", parent_values=("tree",)),
        Parameter("tree_leaf", "int", 1, 64, log=True, parent="model", parent_values=("tree",)),
        Parameter("tree_alpha", "float", 1e-6, 1e-1, log=True, parent="model", parent_values=("tree",)),
        Parameter("k", "int", 1, 60, log=True, parent="model", parent_values=("neighbours",)),
        Parameter("k_weights", "categorical", choices=("uniform", "distance"), parent="model",
                  parent_values=("neighbours",)),
    ]

    def loss(p):
        if p["model"] == "logistic":
            model = LogisticRegression(C=p["logistic_C"], max_iter=200)
            return log_loss_of(model, x, y, folds)
        if p["model"] == "svm":
            # Platt's scaling inside SVC draws folds of its own; a logistic fit on its scores does not.
            cut = StratifiedKFold(3, shuffle=True, random_state=folds)
            score = cross_val_predict(SVC(C=p["svm_C"], gamma=p["svm_gamma"]), x, y, cv=cut, method="decision_function")
            return log_loss_of(LogisticRegression(), score[:, None], y, folds)
        if p["model"] == "tree":
            model = DecisionTreeClassifier(random_state=0, max_depth=p["tree_depth"], min_samples_leaf=p["tree_leaf"],
                                           ccp_alpha=p["tree_alpha"])
            return log_loss_of(model, x, y, folds)
        return log_loss_of(KNeighborsClassifier(p["k"], weights=p["k_weights"]), x, y, folds)

    return space, loss
