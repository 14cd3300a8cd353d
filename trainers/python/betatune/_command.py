"""`betatune.trial()`: a script that a study names as its `trainer.command` (docs/command-trainer.md)."""

import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Mapping, Optional

from . import _wire
from ._checkpoint import command_checkpoint
from ._errors import NotATrial, TrialFailed, TrialStopped
from ._trial import Decision, Trial


def trial(params: Optional[Mapping] = None, until: int = 1) -> "CommandTrial":
    """The trial that this process was started for. Use it as a context manager.

    params, until  what to train where the script is run by hand; reports are then printed
    raises         NotATrial: run by hand, and no `params` given
    """
    if "BETATUNE_PARAMS_FILE" in os.environ:
        return CommandTrial(**_from_environment(os.environ))
    if params is None:
        raise NotATrial("this script was not started by Betatune (no BETATUNE_PARAMS_FILE); run it with "
                        "`betatune run`, or give `params` to try it by hand")
    # By hand it may be one of those that torchrun has started.
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    return CommandTrial(params=params, id=0, attempt=1, seed=0, start=0, until=until, objective="", rank=rank,
                        ranks=ranks)


def _from_environment(env: Mapping[str, str]) -> dict:
    resume = env.get("BETATUNE_RESUME_DIR")
    return {
        "params": json.loads(Path(env["BETATUNE_PARAMS_FILE"]).read_text()),
        "id": int(env["BETATUNE_TRIAL"]),
        "attempt": int(env["BETATUNE_ATTEMPT"]),
        "seed": int(env["BETATUNE_SEED"]),
        "start": int(env["BETATUNE_FROM"]),
        "until": int(env["BETATUNE_UNTIL"]),
        "objective": env["BETATUNE_OBJECTIVE"],
        "config": json.loads(env.get("BETATUNE_CONFIG") or "{}"),
        "cpus": int(env.get("BETATUNE_CPUS", "1")),
        "rank": int(env.get("BETATUNE_RANK", "0")),
        "ranks": int(env.get("BETATUNE_RANKS", "1")),
        "study_dir": Path(env["BETATUNE_STUDY_DIR"]),
        "resume_dir": Path(resume) if resume else None,
        "checkpoint_dir": Path(env["BETATUNE_CHECKPOINT_DIR"]),
        "metrics_file": Path(env["BETATUNE_METRICS_FILE"]),
        "scratch_dir": env.get("BETATUNE_SCRATCH_DIR"),
    }


class CommandTrial(Trial):
    """A Trial whose reports go into the file that Betatune reads; a SIGTERM is the scheduler's decision.

    Of several ranks, each has such a file, and a failure that any of them writes there is heard.
    """

    def __init__(self, *, checkpoint_dir: Optional[Path] = None, metrics_file: Optional[Path] = None,
                 scratch_dir: Optional[str] = None, **values):
        super().__init__(**values)
        self.checkpoint_dir = checkpoint_dir
        self._file = None
        self._metrics_file, self._scratch_dir = metrics_file, scratch_dir
        self._told = False
        self._thrown_away: Optional[tempfile.TemporaryDirectory] = None
        self._handler_before = None

    def __enter__(self) -> "CommandTrial":
        if self._metrics_file is not None:
            # Unbuffered: each report is one write, and none is lost to a SIGKILL.
            self._file = open(self._metrics_file, "ab", buffering=0)
        # Only the main thread may set handlers; in another one, a stop ends the process as it ever did.
        if threading.current_thread() is threading.main_thread():
            self._handler_before = signal.signal(signal.SIGTERM, self._on_sigterm)
        return self

    def __exit__(self, kind, error, trace) -> bool:
        if self._handler_before is not None:
            signal.signal(signal.SIGTERM, self._handler_before)
        if isinstance(error, TrialFailed):
            self._write({"failed": error.kind, "message": str(error)})
        if self._file is not None:
            self._file.close()
        return isinstance(error, TrialStopped)

    @property
    def decision(self) -> Decision:
        """PAUSE once the scheduler ends the trial: a command is not told whether it will be gone on with."""
        return Decision.PAUSE if self._told else Decision.CONTINUE

    def _on_sigterm(self, *_):
        self._told = True

    def _send_report(self, step: int, metrics: dict) -> None:
        if self.rank == 0:
            self._write({"step": step, **metrics})

    def _write(self, line: dict) -> None:
        text = json.dumps(_wire.spelt(line)) + "\n"
        if self._file is not None:
            self._file.write(text.encode())
        else:
            sys.stdout.write(text)
            sys.stdout.flush()

    def _checkpoint(self, step: int):
        # Run by hand, or in another rank than 0: it is written, for its errors, and thrown away.
        if self.checkpoint_dir is None or (self.rank > 0 and self._thrown_away is None):
            self._thrown_away = tempfile.TemporaryDirectory(prefix="betatune-", dir=self._scratch_dir)
            self.checkpoint_dir = Path(self._thrown_away.name)
        return command_checkpoint(self.checkpoint_dir, step)

