"""Bridges from a trial to the training loops of others. Each library is imported only when its bridge is made.

Every bridge takes a `betatune.Trial`, whichever way it came: `betatune.trial()` or `Trainer.run`.
"""

from typing import Iterator, Mapping, Optional

from ._trial import Trial


class TorchLoop:
    """Epochs of a PyTorch loop that checkpoints itself, and goes on from the trial's checkpoint.

        loop = betatune.callbacks.TorchLoop(t, model=model, optimizer=optimizer)
        for epoch in loop:
            train(model, optimizer)
            loop.report(val_loss=validate(model))

    state   name -> object with state_dict() and load_state_dict(): model, optimizer, scheduler, scaler ...
    """

    FILE = "state.pt"

    def __init__(self, trial: Trial, **state):
        import torch

        self._torch, self._trial, self._state = torch, trial, state
        self._step = trial.start
        if trial.resume_dir is not None:
            # Nothing but data is read, where PyTorch can: 1.13 knows the option, but reads no floats with it.
            only_data = {"weights_only": True} if int(torch.__version__.split(".")[0]) >= 2 else {}
            saved = torch.load(trial.resume_dir / self.FILE, map_location="cpu", **only_data)
            for name, each in state.items():
                each.load_state_dict(saved[name])

    def __iter__(self) -> Iterator[int]:
        for self._step in self._trial.steps:
            if self._trial.should_stop:
                return
            yield self._step

    def report(self, metrics: Optional[Mapping[str, float]] = None, /, **more) -> None:
        """The metrics of this epoch; before it, a checkpoint if one is due."""
        last = self._step == self._trial.until
        if self._trial.checkpoint_due or last:
            self.save()
        if self._trial.report(self._step, metrics, **more) and not last:
            self.save()

    def save(self) -> None:
        """A checkpoint of the present epoch."""
        with self._trial.checkpoint(self._step) as folder:
            self._torch.save({name: each.state_dict() for name, each in self._state.items()}, folder / self.FILE)


def lightning(trial: Trial, monitor: Optional[str] = None):
    """A Lightning callback: after each validation, `trainer.callback_metrics` of the epoch are one report.

    monitor  the metric that is the study's objective, if it has another name there
    Set `Trainer(max_epochs=trial.until, callbacks=[betatune.callbacks.lightning(trial)])`, and
    `fit(ckpt_path=betatune.callbacks.lightning_checkpoint(trial))` to go on from a checkpoint.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        from pytorch_lightning import Callback

    class BetatuneCallback(Callback):
        def on_validation_epoch_end(self, trainer, module):
            if trainer.sanity_checking:
                return
            step = trainer.current_epoch + 1
            metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
            if monitor is not None:
                metrics[trial.objective] = metrics[monitor]
            trial.report(step, metrics)

        def on_train_epoch_end(self, trainer, module):
            if trial.checkpoint_due:
                with trial.checkpoint() as folder:
                    trainer.save_checkpoint(folder / "model.ckpt")
            if trial.should_stop:
                trainer.should_stop = True

    return BetatuneCallback()


def lightning_checkpoint(trial: Trial) -> Optional[str]:
    """The `ckpt_path` that `fit` goes on from; None from scratch."""
    return str(trial.resume_dir / "model.ckpt") if trial.resume_dir is not None else None


def keras(trial: Trial, monitor: Optional[str] = None):
    """A Keras callback: the logs of each epoch are one report. Use `fit(initial_epoch=trial.start,
    epochs=trial.until)`.

    monitor  the log that is the study's objective, if it has another name there
    """
    try:
        from keras.callbacks import Callback
    except ImportError:
        from tensorflow.keras.callbacks import Callback

    class BetatuneCallback(Callback):
        def on_epoch_end(self, epoch, logs=None):
            metrics = {name: float(value) for name, value in (logs or {}).items()}
            if monitor is not None:
                metrics[trial.objective] = metrics[monitor]
            trial.report(epoch + 1, metrics)
            if trial.checkpoint_due:
                with trial.checkpoint() as folder:
                    self.model.save(folder / "model.keras")
            if trial.should_stop:
                self.model.stop_training = True

    return BetatuneCallback()


def xgboost(trial: Trial, data: str, metric: str):
    """An XGBoost callback: each boosting round is a step. Use `train(num_boost_round=trial.until - trial.start,
    xgb_model=betatune.callbacks.xgboost_model(trial))`.

    data, metric  which of `evals` is the study's objective, for instance "valid" and "logloss"
    """
    from xgboost.callback import TrainingCallback

    class BetatuneCallback(TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            step = trial.start + epoch + 1 if trial.resume_dir is None else model.num_boosted_rounds()
            loss = evals_log[data][metric][-1]
            trial.report(step, {trial.objective or metric: loss})
            if trial.checkpoint_due:
                with trial.checkpoint() as folder:
                    model.save_model(folder / "model.ubj")
            return trial.should_stop

    return BetatuneCallback()


def xgboost_model(trial: Trial) -> Optional[str]:
    """The `xgb_model` that training goes on from; None from scratch."""
    return str(trial.resume_dir / "model.ubj") if trial.resume_dir is not None else None
