"""Runs a training function for one ASSIGN, in a worker's process or thread, and says how it ended."""

import contextlib
import errno
import json
import socket
import threading
import traceback
from pathlib import Path
from typing import Callable

from ._checkpoint import checkpoint_path, protocol_checkpoint
from ._errors import DamagedCheckpoint, TrialFailed, TrialStopped
from ._trial import Decision, Trial


class LinkedTrial(Trial):
    """A Trial whose reports go to the trainer through `link`; `unread` is what follows the ASSIGN there."""

    def __init__(self, link: socket.socket, assign: dict, unread: bytes):
        job = assign["job"]
        study_dir = Path(job.get("study_dir") or ".")
        super().__init__(
            params=assign["params"], id=assign["trial"], attempt=assign["attempt"], seed=assign["seed"],
            start=assign["from"], until=assign["until"], objective=job.get("objective", ""),
            config=job.get("config"), cpus=job.get("cpus", 1), gpus=job.get("gpus", 0), study_dir=study_dir,
            resume_dir=checkpoint_path(study_dir, assign.get("resume_from")),
            checkpoint_every_s=job.get("checkpoint_every_ms", 0) / 1000)
        self._link = link
        self._lock = threading.Lock()
        self._decision = Decision.CONTINUE
        self._gone = False  # the trainer
        self._unread = unread

    @property
    def decision(self) -> Decision:
        with self._lock:
            with contextlib.suppress(BlockingIOError):
                while text := self._link.recv(4096, socket.MSG_DONTWAIT):
                    self._unread += text
                self._gone = True  # nobody waits for this work
            *lines, self._unread = self._unread.split(b"\n")
            for line in lines:
                self._decision = Decision(json.loads(line)["decision"])
            return Decision.STOP if self._gone else self._decision

    def _send_report(self, step: int, metrics: dict) -> None:
        self._write({"step": step, "metrics": metrics})

    def _checkpoint(self, step: int):
        return protocol_checkpoint(self.study_dir, self.id, self.attempt, step,
                                   lambda artifact: self._write({"step": step, "metrics": {}, "checkpoint": artifact}))

    def _write(self, line: dict) -> None:
        with self._lock:
            try:
                self._link.sendall(json.dumps(line).encode() + b"\n")
            except OSError as error:
                raise TrialStopped("the trainer is gone") from error

    def finish(self, value) -> dict:
        """The end of a training function that returned `value`: None, the objective, or metrics."""
        decision = self.decision
        if decision and self.step < self.until:
            return {"end": "paused" if decision is Decision.PAUSE else "stopped"}
        if value is not None:
            self.report(self.until, value if isinstance(value, dict) else {self.objective: value})
        elif self.objective in self._last_metrics and self.step < self.until:
            # It ended by itself before the step asked for: what it has come to counts for that step.
            self.report(self.until, self._last_metrics)
        if self.objective and self.objective not in self._last_metrics:
            return failed("user", f"the training function returned without reporting `{self.objective}`")
        return {"end": "reached"}


def failed(kind: str, message: str) -> dict:
    return {"end": "failed", "failure": kind, "message": message}


def run_trial(train: Callable[[Trial], object], link: socket.socket) -> None:
    """Everything from the ASSIGN, the first line on `link`, to the end, the last one written; closes it."""
    with link:
        text = b""
        while b"\n" not in text:
            got = link.recv(1 << 16)
            if not got:
                return  # the trainer is gone
            text += got
        line, unread = text.split(b"\n", 1)
        end = _outcome(train, link, json.loads(line), unread)
        try:
            link.sendall(json.dumps(end).encode() + b"\n")
        except OSError:
            pass  # the trainer is gone


def _outcome(train, link: socket.socket, assign: dict, unread: bytes) -> dict:
    try:
        trial = LinkedTrial(link, assign, unread)
    except DamagedCheckpoint as error:
        return failed("checkpoint", str(error))
    except Exception as error:  # a checkpoint that is not there
        return failed("infra", str(error))
    try:
        return trial.finish(train(trial))
    except TrialStopped:
        decision = trial.decision
        if not decision:
            return failed("user", "the training function gave up without being told to")
        return {"end": "paused" if decision is Decision.PAUSE else "stopped"}
    except TrialFailed as failure:
        return failed(failure.kind, str(failure))
    except BaseException as error:  # SystemExit as well: whatever it is, this trial has failed
        return failed(_failure_class(error), traceback.format_exc()[-3500:])


def _failure_class(error: BaseException) -> str:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # that of PyTorch
        return "oom"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return "infra"
    return "user"
