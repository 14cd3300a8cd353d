#!/usr/bin/env python3
"""Runs the reference trainer and prints what it and the optimizer say: the transcripts of docs/protocol.md.

    transcript.py ADDRESS [TOKEN_FILE]

T> is the trainer, O> the optimizer. Keys of an ASSIGN's job that have their default values are left out.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/protocol"))
import trainer  # noqa: E402

UNSET = ("", [], {}, 0, None)


def show(who, verb, body):
    if verb == "ASSIGN":
        body = {**body, "job": {key: value for key, value in body["job"].items() if value not in UNSET}}
    print(f"{who}> {verb} {json.dumps(body)}", flush=True)


class Recorded(trainer.Trainer):
    def send(self, verb, body):
        show("T", verb, body)
        super().send(verb, body)

    def on_message(self, verb, body):
        show("O", verb, body)
        super().on_message(verb, body)


if __name__ == "__main__":
    trainer.print = lambda *_, **__: None  # it names what is acknowledged
    Recorded(sys.argv[1], open(sys.argv[2]).read().strip() if len(sys.argv) > 2 else "").run()
