#!/usr/bin/env python3
"""A whole trainer in one file: docs/protocol.md says what it must do, this does it, with nothing but pyzmq.

    python3 trainer.py ADDRESS [TOKEN_FILE]

It runs one trial at a time and "trains" by walking down a parabola, one step every `trainer.config.delay_ms`. What
is acknowledged as durable is printed: trial, attempt, seq.
"""

import json
import os
import secrets
import sys
import time

import zmq

WINDOW = 256  # unacknowledged reports of one attempt


class Attempt:
    """From its ASSIGN until its DONE is acknowledged."""

    def __init__(self, assign):
        self.assign = assign
        self.ids = {"trial": assign["trial"], "attempt": assign["attempt"]}
        self.step = assign["from"]
        self.seq, self.unacknowledged, self.end = 0, [], None
        self.next_step_at = time.monotonic()

    def held(self):
        return {**self.ids, "last_seq": self.seq, "step": self.step}

    def done(self):
        return {**self.ids, "final_seq": self.seq, "step": self.step, "end": self.end}

    def train(self):
        """One step, and its report."""
        self.step += 1
        self.seq += 1
        x = sum(value for value in self.assign["params"].values() if isinstance(value, (int, float)))
        job = self.assign["job"]
        metrics = {job["objective"]: (x - 0.3) ** 2 + 1 / self.step}
        self.unacknowledged.append({**self.ids, "seq": self.seq, "step": self.step, "metrics": metrics})
        self.next_step_at += job["config"].get("delay_ms", 0) / 1000
        if self.step >= self.assign["until"]:
            self.end = "reached"
        return self.unacknowledged[-1]


class Trainer:
    def __init__(self, address, token):
        self.address, self.token, self.context, self.socket = address, token, zmq.Context(), None
        self.work, self.leaving = None, False  # work: the Attempt that is held
        self.connect()

    def connect(self):
        """A new connection is a new session, which begins with everything that is held."""
        if self.socket is not None:
            self.socket.close(0)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 1000)
        self.socket.connect(self.address)
        self.welcome = None  # its body
        self.heard = self.beat_at = time.monotonic()
        self.send("HELLO", {"protocol_min": 1, "protocol_max": 1, "trainer": f"reference-py-{os.getpid()}",
                            "token": self.token, "session": secrets.token_hex(16), "slots": 1, "held": self.held()})

    def held(self):
        return [self.work.held()] if self.work else []

    def is_in(self, messages):
        return self.work is not None and any(each.items() >= self.work.ids.items() for each in messages)

    def send(self, verb, body):
        try:
            self.socket.send_multipart([b"BTP1", verb.encode(), json.dumps(body).encode()], zmq.DONTWAIT)
        except zmq.Again:
            pass  # offered again with the next BEAT

    def offer_all(self):
        """What is not acknowledged, in order; then the credit: absolute, and said again with each BEAT."""
        for report in self.work.unacknowledged if self.work else []:
            self.send("REPORT", report)
        if self.work and self.work.end:
            self.send("DONE", self.work.done())
        self.send("READY", {"credit": 0 if self.work or self.leaving else 1})

    def on_message(self, verb, body):
        ours = self.is_in([body])
        if verb == "WELCOME" and self.welcome is None:
            self.welcome = body
            self.work = self.work if self.is_in(body.get("keep", [])) else None
            self.offer_all()
        elif verb == "ASSIGN" and self.welcome and body["epoch"] >= self.welcome["epoch"] and not self.leaving:
            newer = self.work and body["trial"] == self.work.ids["trial"] and body["attempt"] > self.work.ids["attempt"]
            self.work = Attempt(body) if newer or not self.work else self.work
        elif verb == "ACK" and ours:
            print(body["trial"], body["attempt"], body["seq"], flush=True)
            self.work.unacknowledged = [each for each in self.work.unacknowledged if each["seq"] > body["seq"]]
            if body.get("done") and self.work.end:
                self.work = None
                self.offer_all()
        elif verb == "DECISION" and ours and self.work.end is None and body["action"] != "continue":
            self.work.end = {"stop": "stopped", "pause": "paused"}[body["action"]]
            self.offer_all()
        elif verb in ("BEAT", "BYE"):
            self.leaving = self.leaving or verb == "BYE"
            self.work = self.work if body.get("drain", True) and not self.is_in(body.get("drop", [])) else None
        elif verb == "ERROR":
            self.on_error(body, ours)

    def on_error(self, body, ours):
        if body.get("fatal"):
            sys.exit(f"the optimizer refuses: {body['code']}: {body.get('message', '')}")
        if body["code"] == "not_welcome" and self.welcome:
            self.connect()  # it has been restarted
        elif body["code"] == "missing_reports":
            self.offer_all()
        elif ours:  # stale_attempt, conflict, malformed: nothing more can be said of this attempt
            self.work = None

    def run(self):
        while self.work or not self.leaving:
            if self.socket.poll(5):
                try:
                    _, verb, body = self.socket.recv_multipart()[:3]
                    self.on_message(verb.decode(), json.loads(body))
                    self.heard = time.monotonic()
                except (AttributeError, KeyError, TypeError, ValueError):
                    pass  # what cannot be read is ignored
            now, work = time.monotonic(), self.work
            if work and not work.end and len(work.unacknowledged) < WINDOW and now >= work.next_step_at:
                self.send("REPORT", work.train())
                if work.end:
                    self.send("DONE", work.done())
            beat_s = self.welcome["beat_ms"] / 1000 if self.welcome else 1.0
            if now - self.heard > 2.5 * beat_s:
                self.connect()  # silence: nobody there, or a connection that only looks alive
            elif self.welcome and now - self.beat_at > beat_s:
                self.beat_at = now
                self.send("BEAT", {"epoch": self.welcome["epoch"], "held": self.held()})
                self.offer_all()
        self.send("BYE", {"reason": "done", "drain": False})


if __name__ == "__main__":
    Trainer(sys.argv[1], open(sys.argv[2]).read().strip() if len(sys.argv) > 2 else "").run()
