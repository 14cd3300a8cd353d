"""What an Agent knows of one attempt, and what it asks to be done."""

import collections
from dataclasses import dataclass, field
from typing import NamedTuple, Optional


class Key(NamedTuple):
    trial: int
    attempt: int


# To be carried out in order.
class Send(NamedTuple):
    verb: str
    body: dict


class NewSession(NamedTuple):
    """Close the socket, connect afresh (a new routing id), then call connected()."""


class Start(NamedTuple):
    key: Key
    assign: dict


class Tell(NamedTuple):
    key: Key
    action: str


class Kill(NamedTuple):
    key: Key
    unwanted: bool = False  # and nobody waits for what it has made


class Leave(NamedTuple):
    refusal: Optional[tuple]  # (code, message) if the optimizer refused this trainer for good
    interrupted: bool  # before the study was over
    reason: str


@dataclass
class Work:
    """One attempt, from its ASSIGN until its DONE is acknowledged."""

    assign: dict
    state: str = "waiting"  # running, ended
    unwanted: bool = False  # dropped or stale: end it, tell nobody
    reports: collections.deque = field(default_factory=collections.deque)  # made and not acknowledged
    last_seq: int = 0
    sent_seq: int = 0  # in this session
    step: int = 0
    told: str = "continue"
    told_at: float = 0.0
    kill_asked: bool = False
    timeout: str = ""  # the limit that ended it
    done: Optional[dict] = None
    done_sent_at: Optional[float] = None
    started: float = 0.0
    heard: float = 0.0
    travels_since: Optional[float] = None  # see Agent.files_travel()
    moved: float = 0.0  # when a report was last sent first, or acknowledged
