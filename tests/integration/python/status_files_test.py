#!/usr/bin/env python3
"""`betatune status` tells how far a checkpoint is that travels to the optimizer."""

import json
import pathlib
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

support.need("zmq", "python3-zmq")
sys.path.insert(0, str(support.ROOT / "examples/protocol"))
import trainer  # noqa: E402

STUDY = """\
parameters: {x: {type: float, min: 0, max: 1}}
fidelity: {max: 3}
stopping: {trials: 1}
trainer: {external: true}
"""
PART, SIZE = 256 * 1024, 1024 * 1024


class Halfway(trainer.Trainer):
    """Sends a quarter of a file, and no more."""

    over = False

    def on_message(self, verb, body):
        if verb != "ASSIGN":
            return super().on_message(verb, body)
        put = {"trial": body["trial"], "attempt": body["attempt"], "path": "model", "size": SIZE, "digest": "0" * 64,
               "folder": f"checkpoints/trial-{body['trial']}/attempt-{body['attempt']}-step-1", "offset": 0}
        self.socket.send_multipart([b"BTP1", b"PUT", json.dumps(put).encode(), bytes(PART)])

    def wait(self):
        """Listens until the test is over; says nothing, so that its lease lives on READY's first word."""
        while not self.over:
            if self.socket.poll(50):
                _, verb, body = self.socket.recv_multipart()[:3]
                self.on_message(verb.decode(), json.loads(body))


class StatusTellsOfFiles(unittest.TestCase):
    def test_that_are_on_their_way(self):
        with support.StudyProcess(STUDY) as study:
            halfway = Halfway(study.start(), "")
            thread = threading.Thread(target=halfway.wait)
            thread.start()
            try:
                files = support.eventually(lambda: self.files(study), "a file on its way")
                text = self.status(study)
            finally:
                halfway.over = True
                thread.join()
            halfway.socket.close(0)

        self.assertEqual([(each["way"], each["path"], each["bytes"], each["size"]) for each in files],
                         [("sends", "model", PART, SIZE)])
        self.assertIn("sends checkpoints/trial-0/attempt-1-step-1/model: 0.2 of 1.0 MiB", text)

    @staticmethod
    def status(study, *arguments) -> str:
        return subprocess.run([support.BETATUNE, "status", "runs/demo", *arguments], cwd=study.folder, text=True,
                              capture_output=True, check=True).stdout

    def files(self, study) -> list:
        roster = json.loads(self.status(study, "--json"))["roster"] or {"trainers": []}
        return [file for each in roster["trainers"] for file in each["files"]]


if __name__ == "__main__":
    unittest.main(verbosity=2)
