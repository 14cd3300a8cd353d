"""`betatune.ask_tell()`: the optimizer for a training loop of one's own (docs/ask-tell.md)."""

import json
import os
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from typing import Iterator, List, Mapping, Optional

from . import _wire
from ._errors import AskTellEnded, AskTellError, RequestRefused, TrialFailed
from ._trial import Decision


def ask_tell(study, *, memory: bool = False, fresh: bool = False, accept_changes: bool = False,
             program: Optional[str] = None) -> "AskTell":
    """Starts `betatune ask-tell` for a study file. Use the result as a context manager.

    memory          keep nothing on disk
    fresh           begin again; the earlier study is set aside
    accept_changes  go on although the study file has changed
    program         the `betatune` to run; by default that of BETATUNE_PROGRAM, or of the PATH
    raises          AskTellEnded: it could not start, for instance for a mistake in the study file
    """
    flags = [name for name, wanted in (("--memory", memory), ("--fresh", fresh), ("--accept-changes", accept_changes))
             if wanted]
    return AskTell([program or os.environ.get("BETATUNE_PROGRAM", "betatune"), "ask-tell", *flags, os.fspath(study)])


@dataclass
class Asked:
    """A configuration to try. With a fidelity an earlier `id` may come back with a larger `until`: a promotion."""

    id: int
    params: dict
    until: int
    _study: "AskTell" = field(repr=False, compare=False)

    def tell(self, loss: Optional[float] = None, metrics: Optional[Mapping[str, float]] = None,
             step: Optional[int] = None) -> None:
        """Its result: a loss to be minimised, or metrics by name as the study means them. Without `step` it was
        trained to `until`."""
        self._study.request("tell", _filled(id=self.id, loss=loss, metrics=metrics, step=step))

    def report(self, step: int, loss: Optional[float] = None,
               metrics: Optional[Mapping[str, float]] = None) -> Decision:
        """An intermediate result. Unless the answer is CONTINUE, the trial has ended there."""
        answer = self._study.request("report", _filled(id=self.id, loss=loss, metrics=metrics, step=step))
        return Decision(answer["decision"])

    def fail(self, kind: str = "user") -> None:
        """It failed: "user", "oom", "timeout", "infra" or "diverged"."""
        self._study.request("tell", {"id": self.id, "failed": TrialFailed(kind).kind})


class AskTell:
    """A conversation with one `betatune ask-tell`. Every method may raise RequestRefused or AskTellEnded.

    Methods may be called from several threads; iterating asks for one trial after another until the budget is used.
    """

    def __init__(self, command: List[str]):
        self._talk = tempfile.TemporaryFile()  # its stderr: a pipe that nobody reads would fill
        self._lock = threading.Lock()
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=self._talk)
        except OSError as error:
            self._talk.close()
            raise AskTellEnded(None, f"{command[0]} cannot be started: {error.strerror}; install Betatune, or name "
                               "the program in BETATUNE_PROGRAM") from error

    def __enter__(self) -> "AskTell":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __iter__(self) -> Iterator[Asked]:
        while True:
            asked = self.ask(1)
            if not asked:
                return
            yield asked[0]

    def ask(self, count: int = 1) -> List[Asked]:
        """At most `count` configurations. Empty: the budget is used, or something must be told first."""
        answer = self.request("ask", count)
        return [Asked(each["id"], each["params"], each["until"], self) for each in answer["ask"]]

    def enqueue(self, params: Mapping) -> None:
        """Tried before any suggestion; missing parameters take their defaults."""
        self.request("enqueue", {"params": dict(params)})

    def best(self) -> Optional[dict]:
        """{"id", "params", "loss"} of the best trial, or None."""
        return self.request("best", 1)["best"]

    def recommend(self) -> Optional[dict]:
        """{"id", "params"} of what the model believes best, for noisy objectives."""
        return self.request("recommend", 1)["recommend"]

    def close(self) -> None:
        """Ends the conversation. What was asked for and not told is handed out again by the next one."""
        with self._lock:
            if self._talk.closed:
                return
            try:
                self._process.communicate(b'{"close":1}\n' if self._process.poll() is None else None, timeout=60)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
            self._talk.close()

    def request(self, command: str, body) -> dict:
        """One line and its answer."""
        line = json.dumps({command: _wire.spelt(body)}, allow_nan=False).encode() + b"\n"
        with self._lock:
            if self._talk.closed:
                raise AskTellError("this conversation is closed")
            try:
                self._process.stdin.write(line)
                self._process.stdin.flush()
                answer = self._process.stdout.readline()
            except BrokenPipeError:
                answer = b""
            if not answer.endswith(b"\n"):
                raise self._ended()
        parsed = json.loads(answer)
        if "error" in parsed:
            raise RequestRefused(parsed["error"])
        return parsed

    def _ended(self) -> AskTellEnded:
        status = self._process.wait()
        self._talk.seek(0)
        return AskTellEnded(status, self._talk.read().decode("utf-8", "replace"))


def _filled(**values) -> dict:
    return {name: value for name, value in values.items() if value is not None}
