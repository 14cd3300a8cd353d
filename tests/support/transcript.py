#!/usr/bin/env python3
"""Runs the reference trainer and prints what it and the optimizer say: the transcripts of docs/protocol.md.

    transcript.py ADDRESS [TOKEN_FILE]
    transcript.py --files ADDRESS      the Python client instead, which saves a checkpoint that travels

T> is the trainer, O> the optimizer. Keys of an ASSIGN's job that have their default values are left out.
"""

import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/protocol"))
import trainer  # noqa: E402

UNSET = ("", [], {}, 0, None)


def show(who, verb, body, more=""):
    if verb == "ASSIGN":
        body = {**body, "job": {key: value for key, value in body["job"].items() if value not in UNSET}}
    print(f"{who}> {verb} {json.dumps(body)}{more}", flush=True)


class Recorded(trainer.Trainer):
    def send(self, verb, body):
        show("T", verb, body)
        super().send(verb, body)

    def on_message(self, verb, body):
        show("O", verb, body)
        super().on_message(verb, body)


def show_files(address):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "trainers/python"))
    import betatune
    from betatune import _wire
    encode, decode = _wire.encode, _wire.decode

    def shown(part):
        return f"  ({len(part)} bytes)" if part is not None else ""

    def encoded(verb, body, part=None):
        show("T", verb, body, shown(part))
        return encode(verb, body, part)

    def decoded(frames):
        verb, body = decode(frames)
        show("O", verb, body, shown(frames[3] if len(frames) > 3 else None))
        return verb, body

    def train(trial):
        for step in range(trial.start + 1, trial.until + 1):
            trial.report(step, {"loss": 1 / step})
            with trial.checkpoint(step) as folder:
                (folder / "model").write_text("weights")

    _wire.encode, _wire.decode = encoded, decoded
    with tempfile.TemporaryDirectory() as own:
        betatune.Trainer(address, name="elsewhere", own_folder=own).run(train)


if __name__ == "__main__" and sys.argv[1] == "--files":
    show_files(sys.argv[2])
elif __name__ == "__main__":
    trainer.print = lambda *_, **__: None  # it names what is acknowledged
    Recorded(sys.argv[1], open(sys.argv[2]).read().strip() if len(sys.argv) > 2 else "").run()
