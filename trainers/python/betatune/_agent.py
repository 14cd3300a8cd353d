"""What a trainer must do, as a pure class: messages, the fates of workers and a monotonic time in; messages to send
and workers to start, tell or end out. The sockets and processes are those of _trainer.py.

Nothing that a worker reported is forgotten before the optimizer has acknowledged it: while the optimizer is away,
work goes on and its reports wait here. Each rule is a section of docs/protocol.md.
"""

import secrets
from typing import Dict, List, Optional

from . import _wire
from ._work import Key, Kill, Leave, NewSession, Send, Start, Tell, Work

GREETING_FIRST_S = 1.0
GREETING_LONGEST_S = 5.0
DONE_AGAIN_S = 2.0
REPORTS_AGAIN_S = 5.0
REPORTS_HELD = 4096
HURRY_LONGEST_S = 60.0


class Agent:
    """`patience_s`: how long without an optimizer, then it leaves; 0: for ever."""

    def __init__(self, name: str, slots: int, token: str = "", patience_s: float = 3600.0, stop_grace_s: float = 30.0,
                 sdk: str = "betatune-python"):
        self.name, self.slots, self.token, self.sdk = name, slots, token, sdk
        self.patience_s, self.stop_grace_s = patience_s, stop_grace_s
        self.work: Dict[Key, Work] = {}
        self.session = "none"  # greeting, welcome
        self.epoch = 0
        self.beat_s = 5.0
        self.left = False
        self._effects: list = []
        self._told_credit: Optional[int] = 0
        self._draining = self.hurrying = False
        self._reason = ""
        self._interrupted = False
        self._heard: Optional[float] = None
        self._greeted = self._beat_sent = self._leave_by = 0.0
        self._greeting_patience = GREETING_FIRST_S

    # ---- the session ------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> list:
        if self._heard is None:
            self._heard = now  # patience is counted from the first try
        self.session, self._greeted = "greeting", now
        self._send("HELLO", {
            "protocol_min": _wire.PROTOCOL, "protocol_max": _wire.PROTOCOL, "trainer": self.name,
            "session": secrets.token_hex(16), "token": self.token, "slots": self.slots, "sdk": self.sdk,
            "held": self._held(),
        })
        return self._settle(now)

    def disconnected(self, now: float) -> list:
        # A greeting waits in the socket until the optimizer is there: it needs no new one.
        if self.session == "welcome":
            self._new_session(now)
        return self._settle(now)

    def received(self, verb: str, body: dict, now: float) -> list:
        """Raises KeyError or TypeError for a body without what its verb needs; then nothing has changed."""
        handler = self._HANDLERS.get(verb)
        if handler is not None:  # an unknown verb is ignored
            handler(self, body, now)
        self._heard = now
        return self._settle(now)

    def _on_welcome(self, body: dict, now: float) -> None:
        keep = {_key(each): int(each.get("last_seq", 0)) for each in body.get("keep", [])}
        epoch, beat_s = int(body["epoch"]), max(int(body["beat_ms"]), 10) / 1000
        if self.session != "greeting":
            return
        self.session, self.epoch, self.beat_s = "welcome", epoch, beat_s
        self._greeting_patience = GREETING_FIRST_S
        self._beat_sent = now
        self._told_credit = 0
        for key, work in list(self.work.items()):
            if key not in keep:
                self._unwant(key)  # in neither list: nobody waits for it
                continue
            self._acknowledge(work, keep[key], now)
            work.sent_seq = min(keep[key], work.last_seq)
            work.done_sent_at = None
        if self._draining:
            self._send("BYE", {"reason": self._reason, "drain": True})

    def _on_ack(self, body: dict, now: float) -> None:
        key, seq, done = _key(body), int(body["seq"]), bool(body.get("done", False))
        work = self.work.get(key)
        if work is None:
            return
        self._acknowledge(work, seq, now)
        if done and work.done:
            del self.work[key]

    def _acknowledge(self, work: Work, seq: int, now: float) -> None:
        while work.reports and work.reports[0]["seq"] <= seq:
            work.reports.popleft()
            work.moved = now

    def _on_decision(self, body: dict, now: float) -> None:
        key, action = _key(body), str(body["action"])
        if key in self.work:
            self._tell(key, action, now)

    def _on_beat(self, body: dict, now: float) -> None:
        for key in [_key(each) for each in body.get("drop", [])]:
            self._unwant(key)

    def _on_bye(self, body: dict, now: float) -> None:
        self._draining = True
        self._reason = body.get("reason") or "the optimizer said goodbye"
        if not body.get("drain", True):
            for key in list(self.work):
                self._unwant(key)

    def _on_error(self, body: dict, now: float) -> None:
        code, message = str(body["code"]), str(body.get("message", ""))
        if code == "not_welcome":
            if self.session == "welcome":
                self._new_session(now)  # the optimizer does not know this session: it has been restarted
            return
        if body.get("fatal", False):
            self._leave((code, message), message)
            return
        if body.get("trial") is None or body.get("attempt") is None:
            return
        key = _key(body)
        work = self.work.get(key)
        if work is not None and code == "missing_reports":
            work.sent_seq = work.last_seq - len(work.reports)
            work.done_sent_at = None
        else:
            self._unwant(key)  # stale_attempt, conflict, malformed: nothing more can be said of it

    def _new_session(self, now: float) -> None:
        self.session, self._greeted = "none", now
        for work in self.work.values():
            work.done_sent_at = None
        self._effects.append(NewSession())

    # ---- attempts ---------------------------------------------------------------------------------------------------

    def _on_assign(self, body: dict, now: float) -> None:
        key, epoch = _key(body), int(body["epoch"])
        start = int(body["from"])
        for name in ("params", "until", "seed", "job"):
            body[name]  # missing: KeyError
        if self._draining or epoch < self.epoch or key in self.work:
            return
        same = [each for each in self.work if each.trial == key.trial]
        if any(each.attempt > key.attempt for each in same):
            return
        for each in same:
            self._unwant(each)
        # The optimizer counts this assignment itself; READY is only sent where the two counts differ.
        self._told_credit = max(0, (self._told_credit or 0) - 1)
        self.work[key] = Work(assign=body, step=start)

    def reported(self, key: Key, step: int, metrics: dict, checkpoint: Optional[dict], now: float) -> list:
        """A worker's report. `checkpoint` is an ArtifactRef of what is published already."""
        work = self.work.get(key)
        if work is not None and work.state == "running":
            work.heard = now
            work.step = max(work.step, step)
            if not work.unwanted:
                work.last_seq += 1
                body = {"trial": key.trial, "attempt": key.attempt, "seq": work.last_seq, "step": step,
                        "metrics": metrics}
                if checkpoint:
                    body["checkpoint"] = checkpoint
                work.reports.append(body)
        return self._settle(now)

    def ended(self, key: Key, end: str, now: float, failure: Optional[str] = None, message: str = "") -> list:
        """A worker is gone. `end` is reached, stopped, paused or failed."""
        work = self.work.get(key)
        if work is None or work.state != "running":
            return self._settle(now)
        work.state = "ended"
        if work.timeout:
            end, failure, message = "failed", "timeout", work.timeout
        elif work.kill_asked and work.told == "stop":
            end, failure = "stopped", None
        # What this trainer interrupted for its own reasons has not ended as the scheduler asked.
        if work.unwanted or (self.hurrying and end != "reached"):
            self._pump(work, now)
            del self.work[key]
            return self._settle(now)
        work.done = {"trial": key.trial, "attempt": key.attempt, "final_seq": work.last_seq, "step": work.step,
                     "end": end, "message": _wire.shortened(message)}
        if end == "failed":
            work.done["failure"] = failure or "user"
        return self._settle(now)

    def files_travel(self, key: Key, travel: bool, now: float) -> None:
        """Its process has not begun yet, or is over, and its files are on the way: the limits of time do not count."""
        work = self.work.get(key)
        if work is None:
            return
        if travel and work.travels_since is None:
            work.travels_since = now
        elif not travel and work.travels_since is not None:
            work.started += now - work.travels_since
            work.heard = now
            work.travels_since = None

    def may_read(self, key: Key) -> bool:
        """False while the reports of this attempt are too many to hold: its worker waits."""
        return key not in self.work or len(self.work[key].reports) < REPORTS_HELD

    def _tell(self, key: Key, action: str, now: float) -> None:
        work = self.work[key]
        # Decisions are repeated, and a stop may follow a pause, but nothing undoes one.
        if work.state == "ended" or action not in ("stop", "pause") or work.told in (action, "stop"):
            return
        if work.told == "continue":
            work.told_at = now
        work.told = action
        if work.state == "running":
            self._effects.append(Tell(key, action))

    def _unwant(self, key: Key) -> None:
        work = self.work.get(key)
        if work is None:
            return
        if work.state != "running":
            del self.work[key]
            return
        if work.unwanted:
            return
        work.unwanted = work.kill_asked = True
        work.reports.clear()
        # Also where it was asked to end before: what it leaves was wanted then.
        self._effects.append(Kill(key, True))

    def _ask_to_end(self, key: Key, work: Work) -> None:
        if work.state == "running" and not work.kill_asked:
            work.kill_asked = True
            self._effects.append(Kill(key))

    # ---- time -------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> list:
        """Call it some times per second."""
        if self.left:
            return []
        self._tick_session(now)
        for key, work in self.work.items():
            self._tick_work(key, work, now)
        silent = now - self._heard if self._heard is not None else 0.0
        if self.patience_s > 0 and silent > self.patience_s and not self.hurrying:
            return self.hurry(f"no optimizer for {self.patience_s:g} s", now)
        return self._settle(now)

    def _tick_session(self, now: float) -> None:
        if self.session == "greeting" and now - self._greeted > self._greeting_patience:
            self._greeting_patience = min(2 * self._greeting_patience, GREETING_LONGEST_S)
            return self._new_session(now)
        if self.session != "welcome":
            return
        # An answer to each BEAT is due at once; two of them missing is a silence.
        if now - self._heard > 2.5 * self.beat_s:
            return self._new_session(now)
        if now - self._beat_sent >= self.beat_s:
            self._beat_sent = now
            self._send("BEAT", {"epoch": self.epoch, "held": self._held()})
            self._told_credit = None  # READY is repeated with every BEAT

    def _tick_work(self, key: Key, work: Work, now: float) -> None:
        if work.reports and work.sent_seq >= work.reports[0]["seq"] and now - work.moved >= REPORTS_AGAIN_S:
            work.sent_seq = work.reports[0]["seq"] - 1  # one was lost on the way: all behind it are offered again
            work.moved = now
        if work.state == "ended" and work.done_sent_at is not None and now - work.done_sent_at >= DONE_AGAIN_S:
            work.done_sent_at = None
        if work.state != "running" or work.travels_since is not None:
            return
        job = work.assign["job"]
        if len(work.reports) >= REPORTS_HELD:
            work.heard = now  # it is made to wait
        for limit, since in (("wall_time", work.started), ("silence", work.heard)):
            most_ms = job.get(f"{limit}_ms", 0)
            if most_ms > 0 and (now - since) * 1000 > most_ms and not work.kill_asked:
                work.timeout = f"longer than trials.limits.{limit} ({most_ms / 1000:g} s)"
                self._ask_to_end(key, work)
        if work.told == "stop" and now - work.told_at > self.stop_grace_s:
            self._ask_to_end(key, work)

    # ---- the end ----------------------------------------------------------------------------------------------------

    def drain(self, reason: str, now: float) -> list:
        """Finishes what runs, takes no more, leaves."""
        if not self._draining and self.session == "welcome":
            self._send("BYE", {"reason": reason, "drain": True})
        self._draining = self._interrupted = True
        self._reason = reason
        return self._settle(now)

    def hurry(self, reason: str, now: float) -> list:
        """Saves what runs where it can, then leaves."""
        if not self.hurrying:
            self._leave_by = now + HURRY_LONGEST_S
        self.hurrying = True
        for key in self.work:
            self._tell(key, "pause", now)
        return self.drain(reason, now)

    def _leave_if_done(self, now: float) -> None:
        if not self._draining:
            return
        # In a hurry, what was said is sent once and not waited for.
        waits = any(work.state == "running" or not (self.hurrying or work.unwanted) for work in self.work.values())
        if not waits or (self.hurrying and now > self._leave_by):
            self._leave(None, self._reason)

    def _leave(self, refusal: Optional[tuple], reason: str) -> None:
        if self.left:
            return
        self.left = True
        if self.session == "welcome":
            self._send("BYE", {"reason": reason, "drain": False})
        self._effects.append(Leave(refusal, self._interrupted, reason))

    # ---- what every input ends with ---------------------------------------------------------------------------------

    def _settle(self, now: float) -> list:
        if not self.left:
            self._start_waiting(now)
            for work in self.work.values():
                self._pump(work, now)
            if self.session == "welcome":
                self._tell_credit()
            self._leave_if_done(now)
        effects, self._effects = self._effects, []
        return effects

    def _start_waiting(self, now: float) -> None:
        running = sum(work.state == "running" for work in self.work.values())
        for key, work in self.work.items():
            if running >= self.slots:
                return
            if work.state != "waiting" or self.hurrying:
                continue
            work.state = "running"
            work.started = work.heard = now
            running += 1
            self._effects.append(Start(key, work.assign))
            if work.told != "continue":
                self._effects.append(Tell(key, work.told))

    def _pump(self, work: Work, now: float) -> None:
        """Sends what the window of unacknowledged reports has room for, then the DONE."""
        if self.session != "welcome" or work.unwanted:
            return
        acknowledged = work.last_seq - len(work.reports)
        work.sent_seq = max(work.sent_seq, acknowledged)
        while work.sent_seq < min(work.last_seq, acknowledged + _wire.UNACKNOWLEDGED_REPORTS):
            self._send("REPORT", work.reports[work.sent_seq - acknowledged])
            work.sent_seq += 1
            work.moved = now
        if work.done and work.done_sent_at is None and work.sent_seq == work.last_seq:
            work.done_sent_at = now
            self._send("DONE", work.done)

    def _tell_credit(self) -> None:
        busy = sum(work.state != "ended" for work in self.work.values())
        credit = 0 if self._draining else max(0, self.slots - busy)
        if credit != self._told_credit:
            self._told_credit = credit
            self._send("READY", {"credit": credit})

    def _held(self) -> List[dict]:
        return [{"trial": key.trial, "attempt": key.attempt, "last_seq": work.last_seq, "step": work.step}
                for key, work in self.work.items() if not work.unwanted]

    def _send(self, verb: str, body: dict) -> None:
        self._effects.append(Send(verb, body))

    _HANDLERS = {"WELCOME": _on_welcome, "ASSIGN": _on_assign, "ACK": _on_ack, "DECISION": _on_decision,
                 "BEAT": _on_beat, "BYE": _on_bye, "ERROR": _on_error}


def _key(body: dict) -> Key:
    return Key(int(body["trial"]), int(body["attempt"]))
