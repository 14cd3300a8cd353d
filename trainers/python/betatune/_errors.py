"""What can go wrong, as types."""


class BetatuneError(Exception):
    """The base of every error of this package."""


class NotATrial(BetatuneError):
    """`betatune.trial()` was called by a program that Betatune has not started."""


class BadReport(BetatuneError, ValueError):
    """A report that the protocol does not allow: a step out of bounds, a metric that is no number."""


class BadCheckpoint(BetatuneError, ValueError):
    """A checkpoint that cannot be: of no trained step, or outside of the study's folder."""


class DamagedCheckpoint(BadCheckpoint):
    """A checkpoint that is not what was published; the trial falls back to the one before."""


class TrialStopped(BetatuneError):
    """Raised by `Trial.raise_if_stopped()`; the trainer takes it for an orderly early end."""


class TrialFailed(BetatuneError):
    """Raise it in a training function to name the class of a failure.

    kind  "user", "oom", "timeout", "infra" or "diverged"; `trials.retry` of the study decides
          whether the trial is tried again. "checkpoint": what is in `resume_dir` cannot be used, and
          the trial falls back to the checkpoint before; only before the first report.
    """

    KINDS = ("user", "oom", "timeout", "infra", "diverged", "checkpoint")

    def __init__(self, kind: str, message: str = ""):
        if kind not in self.KINDS:
            raise ValueError(f"a failure is one of {', '.join(self.KINDS)}, not {kind!r}")
        super().__init__(message or kind)
        self.kind = kind


class ProtocolError(BetatuneError, ValueError):
    """A message that cannot be read; `code` is the protocol's word for why."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code


class Refused(BetatuneError):
    """The optimizer has ended the session for good: bad_token, bad_key, bad_version, too_many_slots."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code


class NoOptimizer(BetatuneError):
    """No optimizer has answered for as long as the trainer was ready to wait."""


class Interrupted(BetatuneError):
    """A signal ended the trainer before the study was over; the study can go on elsewhere."""


class AskTellError(BetatuneError):
    """Something went wrong between this program and `betatune ask-tell`."""


class RequestRefused(AskTellError):
    """The optimizer refused one request; nothing has changed, and the next may succeed."""


class AskTellEnded(AskTellError):
    """`betatune ask-tell` has ended. `status` is its exit status, `stderr` its last words."""

    def __init__(self, status, stderr: str):
        super().__init__(f"betatune ask-tell ended with status {status}: {stderr.strip() or 'it said nothing'}")
        self.status = status
        self.stderr = stderr
