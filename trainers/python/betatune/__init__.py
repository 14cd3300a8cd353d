"""Betatune's Python client.

A script that a study names as its command:

    import betatune
    with betatune.trial() as t:
        for step in t.steps:
            t.report(step, val_loss=train_one(t.params))

A function for a study with `trainer: {external: true}`:

    betatune.Trainer("ipc://runs/my-study/socket/optimizer", slots=2).run(train)

A training loop of one's own, which asks what to try next:

    with betatune.ask_tell("study.yaml") as study:
        for trial in study: ...

Only Trainer needs pyzmq. docs/python.md is the guide.
"""

from . import callbacks
from ._ask_tell import Asked, AskTell, ask_tell
from ._command import trial
from ._errors import (AskTellEnded, AskTellError, BadCheckpoint, BadReport, BetatuneError, Interrupted, NoOptimizer,
                      NotATrial, ProtocolError, Refused, RequestRefused, TrialFailed, TrialStopped)
from ._trainer import Trainer, trainer
from ._trial import Decision, Trial

__all__ = [
    "AskTell", "AskTellEnded", "AskTellError", "Asked", "BadCheckpoint", "BadReport", "BetatuneError", "Decision",
    "Interrupted", "NoOptimizer", "NotATrial", "ProtocolError", "Refused", "RequestRefused", "Trainer", "Trial",
    "TrialFailed", "TrialStopped", "ask_tell", "callbacks", "trainer", "trial",
]
__version__ = "0.1.0"
