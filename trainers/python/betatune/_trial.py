"""One trial, as a training function sees it, whatever carries its reports."""

import enum
import math
import numbers
import time
from pathlib import Path
from typing import Mapping, Optional

from . import _wire
from ._checkpoint import published_state
from ._errors import BadReport, TrialStopped


class Decision(enum.Enum):
    """What the scheduler has decided about a running trial. True if it is to end early."""

    CONTINUE = "continue"
    STOP = "stop"
    PAUSE = "pause"

    def __bool__(self) -> bool:
        return self is not Decision.CONTINUE


class Trial:
    """What to train, and where to say how it goes.

    params      name -> value of the active parameters
    id          number of the trial in its study; 0, 1, 2 ...
    attempt     1 for its first run, 2 after that was lost ...
    seed        the trial's own, the same for each attempt; below 2**53
    start       step already trained: 0, or that of the checkpoint in `resume_dir`
    until       step to train to
    objective   name of the metric that is optimized
    config      the study's `trainer.config`
    cpus, gpus  what it may use
    rank, ranks which of the trial's processes this one is, of how many: 0 of 1, unless a command is
                started once per rank. Reports and checkpoints are rank 0's; the other ranks may make
                theirs at the same places, and these go nowhere
    study_dir   the study's folder
    resume_dir  folder of a checkpoint to go on from, or None
    """

    def __init__(self, *, params: Mapping, id: int, attempt: int, seed: int, start: int, until: int, objective: str,
                 config: Optional[Mapping] = None, cpus: int = 1, gpus: int = 0, study_dir: Optional[Path] = None,
                 resume_dir: Optional[Path] = None, checkpoint_every_s: float = 0.0, rank: int = 0, ranks: int = 1):
        self.params = dict(params)
        self.id, self.attempt, self.seed = id, attempt, seed
        self.start, self.until = start, until
        self.objective = objective
        self.config = dict(config or {})
        self.cpus, self.gpus = cpus, gpus
        self.rank, self.ranks = rank, ranks
        self.study_dir = study_dir
        self.resume_dir = published_state(resume_dir) if resume_dir else None
        self.step = start
        self._every_s = checkpoint_every_s
        self._saved_at = time.monotonic()
        self._saved_step: Optional[int] = None
        self._pause_seen_at: Optional[int] = None
        self._last_metrics: dict = {}

    @property
    def steps(self) -> range:
        """The steps that are still to be trained: start + 1 ... until."""
        return range(self.start + 1, self.until + 1)

    def report(self, step: Optional[int] = None, metrics: Optional[Mapping[str, float]] = None, /,
               **more: float) -> Decision:
        """Says how the training stands: `t.report(3, val_loss=0.4)`, `t.report(3, {"val/loss": 0.4})`.

        step     start + 1 ... until; left out, the step behind the last one
        returns  what is decided so far. It comes a moment after the report that it is about, so the
                 answer is often that to the report before.
        raises   BadReport
        """
        merged = {**(metrics or {}), **more}
        checked = {name: _number(name, value) for name, value in merged.items()}
        if len(checked) > _wire.METRICS_PER_REPORT:
            raise BadReport(f"{len(checked)} metrics in one report; at most {_wire.METRICS_PER_REPORT}")
        if not checked:
            raise BadReport("a report without a metric")
        step = min(self.step + 1, self.until) if step is None else self._checked_step(step)
        self.step = max(self.step, step)
        self._last_metrics.update(checked)
        self._send_report(step, checked)
        return self.decision

    @property
    def decision(self) -> Decision:
        """What is decided so far."""
        raise NotImplementedError

    @property
    def should_stop(self) -> bool:
        """Whether the training is to end now: save what is worth it, and return.

        A pause that comes when the last step was reported without a checkpoint waits for the end of the next one, so
        that `checkpoint_due` can ask for one first: what is paused should be able to go on.
        """
        if self.decision is not Decision.PAUSE or self._saved_step == self.step:
            return bool(self.decision)
        if self._pause_seen_at is None:
            self._pause_seen_at = self.step
        return self.step > self._pause_seen_at

    def raise_if_stopped(self) -> None:
        """For training loops that cannot return: ends the trial in order from any depth."""
        if self.should_stop:
            raise TrialStopped(f"trial {self.id} is to {self.decision.value}")

    @property
    def checkpoint_due(self) -> bool:
        """Whether now is a good time for a checkpoint: it stops, is at its end, or the study's interval is over."""
        if self.decision or self.step >= self.until:
            return True
        return self._every_s > 0 and time.monotonic() - self._saved_at >= self._every_s

    def checkpoint(self, step: Optional[int] = None):
        """`with t.checkpoint(step) as folder:` - what is written into the folder is one checkpoint.

        It appears whole or not at all, whatever is killed when. Save before reporting the step, so
        that what is reported can also be gone on from. `step` left out is the last one reported.
        """
        step = self.step if step is None else self._checked_step(step)
        self._saved_at, self._saved_step = time.monotonic(), step
        return self._checkpoint(step)

    def _checked_step(self, step) -> int:
        if isinstance(step, bool) or not isinstance(step, numbers.Integral):
            raise BadReport(f"step is {step!r}, not an integer")
        if not self.start < step <= self.until:
            raise BadReport(f"step {step} is outside of {self.start + 1} to {self.until}")
        return int(step)

    def _send_report(self, step: int, metrics: dict) -> None:
        raise NotImplementedError

    def _checkpoint(self, step: int):
        raise NotImplementedError


def _number(name, value) -> float:
    """Also of NumPy's and PyTorch's scalars, which convert themselves."""
    if not isinstance(name, str) or not 0 < len(name.encode()) <= _wire.NAME_BYTES or name == "step":
        raise BadReport(f"{name!r} is not the name of a metric (1 to {_wire.NAME_BYTES} bytes, not `step`)")
    if isinstance(value, (str, bytes)) or value is None:
        raise BadReport(f"metric `{name}` is {value!r}, not a number")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise BadReport(f"metric `{name}` is {value!r}, not a number") from None
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return number
