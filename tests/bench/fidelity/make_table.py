#!/usr/bin/env python3
"""Makes a table of learning curves: trains random configurations of problems/tables.py and keeps their curves.

  make_table.py NAME [--count 1000] [--minutes 25] [--work FOLDER]

NAME is mlp-digits or higgs-like (scikit-learn's multi-layer perceptron), or fashion-mnist (Betatune's own classifier,
through `betatune run`; environment BETATUNE, and its plug-ins beside it). When the minutes are over the table is
written with the configurations that there are, and says how many; a table that has fewer than wanted is gone on with.
Whoever changes a table makes all runs on it again. One thread, 10 to 30 minutes of an idle core.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import gzip
import io
import json
import pathlib
import statistics
import subprocess
import sys
import time
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import numpy as np  # noqa: E402

from problems.tables import EPOCHS, FOLDER, TABLES, Table  # noqa: E402
from space import sample, study_yaml  # noqa: E402


def perceptron(params, seed, **more):
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(hidden_layer_sizes=(params["width"],) * params["depth"], batch_size=params["batch_size"],
                         learning_rate_init=params["lr"], random_state=np.random.RandomState(seed), **more)


def train(network, data, measure, worst):
    """The curve, and seconds of CPU per epoch. From where weights are not finite the curve stays at `worst`."""
    x, y, x_valid, y_valid = data
    curve, begun = [], time.process_time()
    while len(curve) < EPOCHS:
        try:
            network.partial_fit(x, y, classes=np.unique(y))
            loss = measure(y_valid, network.predict_proba(x_valid))
        except ValueError:  # "Solver produced non-finite parameter weights"
            loss = float("nan")
        if not np.isfinite(loss):
            return curve + [worst] * (EPOCHS - len(curve)), (time.process_time() - begun) / (len(curve) + 1)
        curve.append(min(loss, worst))
    return curve, (time.process_time() - begun) / EPOCHS


def digits():
    """Log loss in nats, probabilities at least 1e-4, on 899 of the digits; the other 898 are trained on."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(11).permutation(len(x))
    x, y = x[order] / 16.0, y[order]
    data = x[:898], y[:898], x[898:], y[898:]

    def log_loss(truth, probabilities):
        return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-4)).mean())

    def curve(params, seed):
        network = perceptron(params, seed, solver="sgd", momentum=params["momentum"], alpha=params["alpha"])
        return train(network, data, log_loss, -np.log(1e-4))

    return curve


def higgs():
    """One minus the area under the ROC curve on 3,000 collisions (collisions.py); 1,000 others are trained on."""
    from sklearn.metrics import roc_auc_score

    from collisions import sample as collisions

    x, y = collisions(np.random.default_rng(12), 4000)
    data = x[:1000], y[:1000], x[1000:], y[1000:]

    def curve(params, seed):
        network = perceptron(params, seed, solver="adam", beta_1=params["beta1"], activation=params["activation"])
        return train(network, data, lambda truth, p: 1.0 - roc_auc_score(truth, p[:, 1]), 0.5)

    return curve


def table(name):
    """None: there is none yet."""
    return Table(name) if (FOLDER / f"{name}.csv.gz").exists() else None


def trained_here(name, wanted):
    """(params, seconds per epoch, curve) of random configurations; first those that the table has."""
    curve, (_, space) = {"mlp-digits": digits, "higgs-like": higgs}[name](), TABLES[name]
    known = table(name)
    rng, end = np.random.default_rng(13), time.monotonic() + 60 * wanted.minutes
    for seed in range(wanted.count):
        params = sample(space, rng)
        if known and seed < len(known.params):
            yield known.params[seed], known.seconds[seed], known.curves[seed]
            continue
        if time.monotonic() > end:
            return
        losses, seconds = curve(params, seed)
        yield params, seconds, losses


def fashion(name, wanted):
    """First what the table has, then as many as are missing: of each, the error on 2,000 pictures, 2,000 others are
    trained on; a training that diverges has that of chance, 0.9, from there on. The study stays in the work folder:
    running it again goes on with it."""
    program = pathlib.Path(os.environ.get("BETATUNE", HERE.parents[2] / "build/bin/betatune")).resolve()
    os.environ.setdefault("BETATUNE_PLUGIN_PATH", str(program.parents[1] / "plugins"))
    _, space = TABLES[name]
    known = table(name)
    have = len(known.params) if known else 0
    for i in range(min(have, wanted.count)):
        yield known.params[i], known.seconds[i], known.curves[i]
    if have >= wanted.count:
        return
    text = study_yaml(space, name=name, seed=3 + have, trials=wanted.count - have, parallel=1,
                      algorithm="{name: random, scheduler: fifo}", metric="val_error")
    text = text.replace("parameters:", "parameters:\n  model: {value: mlp}").replace("trainer: {external: true}\n", "")
    config = f"epochs: {EPOCHS}, train_samples: 2000, validation_samples: 2000, test_samples: 10"
    runs = f"runs/{name}-after-{have}"
    text += (f"trainer: {{plugin: torch_classifier, config: {{{config}}}}}\n"
             f"fidelity: {{name: epoch, min: 1, max: {EPOCHS}}}\n"
             "resources: {cpus: 1}\nlauncher: {name: local, trainers: 1}\n"
             f"storage: {{path: {runs}, checkpoints: {{every: 1h}}}}\n")
    wanted.work.mkdir(parents=True, exist_ok=True)
    study = wanted.work / f"{name}.yaml"
    study.write_text(text)
    try:
        subprocess.run([program, "run", study.name], cwd=wanted.work, timeout=60 * wanted.minutes, check=False,
                       stdout=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        pass
    yield from exported(program, wanted.work / runs, space)


def exported(program, folder, space):
    lines = lambda *more: [json.loads(line) for line in subprocess.run(  # noqa: E731
        [program, "export", "jsonl", folder, *more], capture_output=True, text=True, check=True).stdout.splitlines()]
    curves, seconds = {}, {}
    for seen in lines("--observations"):
        if seen["loss"] is not None:  # others announce a checkpoint
            curves.setdefault(seen["trial"], {})[seen["step"]] = seen["loss"]
            seconds.setdefault(seen["trial"], []).append(seen["metrics"]["seconds_per_epoch"])
    for trial in lines():
        if trial["state"] != "closed" or trial["id"] not in curves:
            continue
        curve = [curves[trial["id"]].get(t) for t in range(1, EPOCHS + 1)]
        if trial["outcome"] != "completed":
            if trial["failure"] != "diverged":
                continue
            curve = [0.9 if loss is None else loss for loss in curve]
        params = {p.name: trial["params"][p.name] for p in space}
        yield params, statistics.median(seconds[trial["id"]]), curve


def write(name, rows):
    """Four significant digits; the same bytes of the same rows."""
    out = io.StringIO()
    _, space = TABLES[name]
    out.write(f"# {len(rows)} random configurations of {name}, {EPOCHS} epochs each, by make_table.py; seconds are of "
              "an epoch\n")
    out.write(",".join([*(p.name for p in space), "seconds", *(str(t) for t in range(1, EPOCHS + 1))]) + "\n")
    for params, seconds, curve in rows:
        values = [f"{v:.6g}" if isinstance(v, float) else str(v) for v in (params[p.name] for p in space)]
        out.write(",".join([*values, f"{seconds:.3g}", *(f"{loss:.4g}" for loss in curve)]) + "\n")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.csv.gz").write_bytes(gzip.compress(out.getvalue().encode(), 9, mtime=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=TABLES)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--work", type=pathlib.Path, default=HERE.parents[2] / "build/bench-fidelity")
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = list((fashion if wanted.name == "fashion-mnist" else trained_here)(wanted.name, wanted))
    write(wanted.name, rows)
    print(f"{len(rows)} configurations, lowest final loss {min(curve[-1] for _, _, curve in rows):.4g}")


if __name__ == "__main__":
    main()
