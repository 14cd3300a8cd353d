#!/usr/bin/env python3
"""An optimizer with one mistake in it: the real one, behind somebody who changes what is said.

    python3 optimizer.py MUTATION ADDRESS -- COMMAND ...     ({inside} in the command: where the real one listens)
"""

import json
import subprocess
import sys
import time

import zmq


class Mutant:
    """Passes everything on. `up` and `down` get (peer's memory, verb, body) and return what is sent instead."""

    case = ""  # that must fail

    def up(self, peer, verb, body):
        return [(verb, body)]

    def down(self, peer, verb, body):
        return [(verb, body)]


class AcknowledgesTooEarly(Mutant):
    case = "O-RECOVERY-11"

    def up(self, peer, verb, body):
        if verb != "REPORT":
            return [(verb, body)]
        peer["back"]("ACK", {"trial": body["trial"], "attempt": body["attempt"], "seq": body["seq"]})
        return [] if body["seq"] > 1 else [(verb, body)]


class NoConflict(Mutant):
    case = "O-ATTEMPT-4"

    def down(self, peer, verb, body):
        return [] if body.get("code") == "conflict" else [(verb, body)]


class NoFence(Mutant):
    case = "O-ATTEMPT-8"

    def down(self, peer, verb, body):
        if body.get("code") != "stale_attempt":
            return [(verb, body)]
        return [("ACK", {"trial": body["trial"], "attempt": body["attempt"], "seq": 1})]


class NoDuplicateCheck(Mutant):
    case = "O-ATTEMPT-2"

    def up(self, peer, verb, body):
        seen = peer.setdefault("seen", set())
        if verb == "REPORT" and body["seq"] in seen:
            body = {**body, "metrics": {"loss": 99 + len(seen)}}  # as if it were another one
        seen.add(body.get("seq"))
        return [(verb, body)]


class AcknowledgesGaps(Mutant):
    case = "O-ATTEMPT-3"

    def up(self, peer, verb, body):
        if verb == "REPORT":
            peer["highest"] = max(peer.get("highest", 0), body["seq"])
        return [(verb, body)]

    def down(self, peer, verb, body):
        return [(verb, {**body, "seq": max(body["seq"], peer.get("highest", 0))} if verb == "ACK" else body)]


class TakesDoneWithoutReports(Mutant):
    case = "O-ATTEMPT-5"

    def down(self, peer, verb, body):
        if body.get("code") != "missing_reports":
            return [(verb, body)]
        return [("ACK", {"trial": body["trial"], "attempt": body["attempt"], "seq": 9, "done": True})]


class GivesTooMuch(Mutant):
    case = "O-SESSION-15"

    def up(self, peer, verb, body):
        return [(verb, {"credit": body["credit"] * 2} if verb == "READY" else body)]


class SilentAboutNonsense(Mutant):
    case = "O-MESSAGE-3"

    def down(self, peer, verb, body):
        return [] if body.get("code") == "malformed" else [(verb, body)]


class LetsTrainersTryForEver(Mutant):
    case = "O-SESSION-13"

    def down(self, peer, verb, body):
        return [(verb, {**body, "fatal": False} if verb == "ERROR" else body)]


class DecidesNothing(Mutant):
    case = "O-ATTEMPT-14"

    def down(self, peer, verb, body):
        return [] if verb == "DECISION" else [(verb, body)]


class DropsNothing(Mutant):
    case = "O-ATTEMPT-19"

    def down(self, peer, verb, body):
        return [(verb, {**body, "drop": []} if verb == "BEAT" else body)]


class KeepsTheUnknown(Mutant):
    case = "O-RECOVERY-4"

    def down(self, peer, verb, body):
        if verb != "WELCOME":
            return [(verb, body)]
        return [(verb, {**body, "keep": body.get("keep", []) + body.get("drop", []), "drop": []})]


class OneEpoch(Mutant):
    case = "O-RECOVERY-10"

    def down(self, peer, verb, body):
        return [(verb, {**body, "epoch": 1} if "epoch" in body else body)]


class NoGoodbye(Mutant):
    case = "O-SESSION-21"

    def down(self, peer, verb, body):
        return [] if verb == "BYE" else [(verb, body)]


class NoLease(Mutant):
    case = "O-RECOVERY-6"

    def tick(self, peer):
        if "held" in peer:
            peer["forward"]("BEAT", {"held": peer["held"]})

    def down(self, peer, verb, body):
        if verb == "ASSIGN":
            peer["held"] = [{"trial": body["trial"], "attempt": body["attempt"]}]
        return [(verb, body)]


class AlwaysWelcome(Mutant):
    case = "O-SESSION-5"

    def down(self, peer, verb, body):
        return [] if body.get("code") == "not_welcome" else [(verb, body)]


class ForgetsDecisions(Mutant):
    case = "O-ATTEMPT-15"

    def down(self, peer, verb, body):
        if verb != "DECISION":
            return [(verb, body)]
        peer["decided"] = peer.get("decided", 0) + 1
        return [(verb, body)] if peer["decided"] == 1 else []


class CompleteTooEarly(Mutant):
    case = "O-FILES-1"

    def down(self, peer, verb, body):
        return [(verb, {**body, "complete": True} if verb == "STORED" else body)]


class KeepsSpoiltBytes(Mutant):
    case = "O-FILES-4"

    def down(self, peer, verb, body):
        return [(verb, {**body, "offset": 7} if verb == "STORED" else body)]


class GivesAnyFile(Mutant):
    case = "O-FILES-10"

    def down(self, peer, verb, body):
        if body.get("code") != "malformed":
            return [(verb, body)]
        return [("DATA", {"trial": body["trial"], "attempt": body["attempt"], "folder": ".", "path": "study.db",
                          "size": 0, "offset": 0})]


MUTATIONS = {each.__name__: each for each in Mutant.__subclasses__()}


def serve(mutant, address, inside, process):
    context = zmq.Context()
    outside = context.socket(zmq.ROUTER)
    outside.bind(address)
    peers = {}  # routing id -> (DEALER to the real one, memory)

    def join(peer):
        inner = context.socket(zmq.DEALER)
        inner.connect(inside)

        def forward(verb, body):
            inner.send_multipart([b"BTP1", verb.encode(), json.dumps(body).encode()])

        def back(verb, body):
            outside.send_multipart([peer, b"BTP1", verb.encode(), json.dumps(body).encode()])

        peers[peer] = (inner, {"forward": forward, "back": back})

    def passed(frames, change, memory, send, raw):
        try:
            tag, verb, body = frames
            verb, body = verb.decode(), json.loads(body)
            assert tag == b"BTP1" and isinstance(body, dict)
        except (AssertionError, ValueError):
            return raw(frames)
        for each in change(memory, verb, body):
            send(*each)

    ticked = time.monotonic()
    while process.poll() is None:
        poller = zmq.Poller()
        for each in [outside, *(inner for inner, _ in peers.values())]:
            poller.register(each, zmq.POLLIN)
        ready = dict(poller.poll(50))
        if outside in ready:
            peer, *frames = outside.recv_multipart()
            if peer not in peers:
                join(peer)
            inner, memory = peers[peer]
            passed(frames, mutant.up, memory, memory["forward"], inner.send_multipart)
        for peer, (inner, memory) in peers.items():
            if inner in ready:
                passed(inner.recv_multipart(), mutant.down, memory, memory["back"],
                       lambda frames: outside.send_multipart([peer, *frames]))
        if time.monotonic() - ticked > 0.5 and hasattr(mutant, "tick"):
            ticked = time.monotonic()
            for _, memory in peers.values():
                mutant.tick(memory)


if __name__ == "__main__":
    name, address, _, *command = sys.argv[1:]
    inside = address + "-inside"
    process = subprocess.Popen([each.replace("{inside}", inside) for each in command])
    serve(MUTATIONS[name](), address, inside, process)
    sys.exit(process.wait())
