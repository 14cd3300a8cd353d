#!/usr/bin/env python3
"""The bridges: with stand-ins for the libraries, what they call of a trial and of the library; with XGBoost and Keras
themselves where they are installed."""

import importlib.util
import pathlib
import sys
import types
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "trainers/python"))
import contextlib  # noqa: E402
import tempfile  # noqa: E402

from betatune import Decision, Trial, callbacks  # noqa: E402


class RecordedTrial(Trial):
    """Keeps what is said to it; told to pause at `stop_at`."""

    def __init__(self, folder, stop_at=99, **more):
        values = dict(params={}, id=0, attempt=1, seed=1, start=0, until=3, objective="loss")
        super().__init__(**{**values, **more})
        self.folder, self.stop_at = folder, stop_at
        self.said = []

    @property
    def decision(self):
        return Decision.PAUSE if self.step >= self.stop_at else Decision.CONTINUE

    def _send_report(self, step, metrics):
        self.said.append((step, metrics))

    @contextlib.contextmanager
    def _checkpoint(self, step):
        self.said.append(f"checkpoint {step}")
        yield self.folder


def need(*modules):
    missing = [each for each in modules if importlib.util.find_spec(each) is None]
    return unittest.skipIf(missing, f"{sys.executable} has no {', '.join(missing)}")


def library(**modules):
    """Puts modules into sys.modules; a dot in a name is written as two underscores."""
    made = {}
    for name, content in modules.items():
        module = types.ModuleType(name.replace("__", "."))
        module.__dict__.update(content)
        made[module.__name__] = module
    return mock.patch.dict(sys.modules, made)


class Callbacks(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def test_torch_loop_saves_before_it_reports_and_goes_on_from_there(self):
        disk = {}
        options = []
        torch = {"save": lambda state, path: disk.update({str(path): state}),
                 "load": lambda path, **given: options.append(given) or disk[str(path)]}

        class Model:
            value = 0

            def state_dict(self):
                return {"value": self.value}

            def load_state_dict(self, state):
                self.value = state["value"]

        with library(torch={**torch, "__version__": "2.11.0"}):
            trial, model = RecordedTrial(self.folder, stop_at=2), Model()
            loop = callbacks.TorchLoop(trial, model=model)
            for epoch in loop:
                model.value = epoch * 10
                loop.report(loss=epoch)
            again = RecordedTrial(self.folder, start=2, resume_dir=self.folder)
            restored = Model()
            rest = list(callbacks.TorchLoop(again, model=restored))

        self.assertEqual(trial.said, [(1, {"loss": 1.0}), (2, {"loss": 2.0}), "checkpoint 2"])
        self.assertEqual((restored.value, rest), (20, [3]))
        self.assertTrue(options[-1]["weights_only"])

        # The reader of 1.13 that reads only data reads no floats.
        with library(torch={**torch, "__version__": "1.13.0a0"}):
            callbacks.TorchLoop(RecordedTrial(self.folder, start=2, resume_dir=self.folder), model=Model())
        self.assertNotIn("weights_only", options[-1])

    def test_lightning_reports_after_validation_and_stops(self):
        with library(lightning={}, lightning__pytorch={"Callback": object}):
            trial = RecordedTrial(self.folder, stop_at=2)
            callback = callbacks.lightning(trial, monitor="val_loss")
        saved = []
        trainer = types.SimpleNamespace(sanity_checking=True, current_epoch=0, callback_metrics={"val_loss": 0.5},
                                        should_stop=False, save_checkpoint=saved.append)
        callback.on_validation_epoch_end(trainer, None)
        trainer.sanity_checking = False
        for trainer.current_epoch in (0, 1):
            callback.on_validation_epoch_end(trainer, None)
            callback.on_train_epoch_end(trainer, None)

        report = {"val_loss": 0.5, "loss": 0.5}
        self.assertEqual(trial.said, [(1, report), (2, report), "checkpoint 2"])
        self.assertEqual((trainer.should_stop, saved), (True, [self.folder / "model.ckpt"]))

    def test_keras_reports_each_epoch_and_stops(self):
        with library(keras={}, keras__callbacks={"Callback": object}):
            trial = RecordedTrial(self.folder, stop_at=1)
            callback = callbacks.keras(trial, monitor="val_loss")
        saved = []
        callback.model = types.SimpleNamespace(stop_training=False, save=saved.append)
        callback.on_epoch_end(0, {"val_loss": 0.25})

        self.assertEqual(trial.said, [(1, {"val_loss": 0.25, "loss": 0.25}), "checkpoint 1"])
        self.assertEqual((callback.model.stop_training, saved), (True, [self.folder / "model.keras"]))

    def test_xgboost_reports_each_round_and_stops(self):
        with library(xgboost={}, xgboost__callback={"TrainingCallback": object}):
            trial = RecordedTrial(self.folder, stop_at=2)
            callback = callbacks.xgboost(trial, "valid", "logloss")
        saved = []
        model = types.SimpleNamespace(save_model=saved.append)
        log = {"valid": {"logloss": [0.7]}}
        first = callback.after_iteration(model, 0, log)
        log["valid"]["logloss"].append(0.6)
        second = callback.after_iteration(model, 1, log)

        self.assertEqual((first, second), (False, True))
        self.assertEqual(trial.said, [(1, {"loss": 0.7}), (2, {"loss": 0.6}), "checkpoint 2"])
        self.assertEqual(saved, [self.folder / "model.ubj"])

    def steps_of(self, train):
        """Trains to step 3, told to pause at 2, and on to 5 from there; what was said, with steps alone."""
        paused = RecordedTrial(self.folder, stop_at=2)
        train(paused)
        resumed = RecordedTrial(self.folder, start=2, until=5, resume_dir=self.folder)
        train(resumed)
        return [each if isinstance(each, str) else each[0] for each in paused.said + resumed.said]

    @need("numpy", "xgboost")
    def test_xgboost_itself(self):
        import numpy
        import xgboost

        points = numpy.random.default_rng(1).random((100, 3))
        data = xgboost.DMatrix(points, (points.sum(1) > 1.5).astype(float))

        def train(trial):
            xgboost.train({"objective": "binary:logistic"}, data, num_boost_round=trial.until - trial.start,
                          evals=[(data, "valid")], verbose_eval=False,
                          callbacks=[callbacks.xgboost(trial, "valid", "logloss")],
                          xgb_model=callbacks.xgboost_model(trial))

        self.assertEqual(self.steps_of(train), [1, 2, "checkpoint 2", 3, 4, 5, "checkpoint 5"])

    @need("numpy", "keras")
    def test_keras_itself(self):
        import keras
        import numpy

        points = numpy.random.default_rng(1).random((20, 3))

        def train(trial):
            if trial.resume_dir is not None:
                model = keras.models.load_model(trial.resume_dir / "model.keras")
            else:
                model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
                model.compile("sgd", "mse")
            model.fit(points, points.sum(1), validation_split=0.2, verbose=0, initial_epoch=trial.start,
                      epochs=trial.until, callbacks=[callbacks.keras(trial, monitor="val_loss")])

        self.assertEqual(self.steps_of(train), [1, 2, "checkpoint 2", 3, 4, 5, "checkpoint 5"])


if __name__ == "__main__":
    unittest.main()
