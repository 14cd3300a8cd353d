#!/usr/bin/env python3
"""The conformance kit passes the trainers of examples/protocol, and the Python client: a part of it each, all of it
with BETATUNE_LONG_TESTS."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tck_test  # noqa: E402
from tck_test import LONG, support  # noqa: E402

CLIENT = """\
import sys, time
sys.path.insert(0, {package!r})
import betatune

def train(trial):
    if trial.resume_dir:
        (trial.resume_dir / "state").read_text()
    for step in trial.steps:
        time.sleep(0.03)
        if trial.checkpoint_due:
            with trial.checkpoint(step) as folder:
                (folder / "state").write_text(str(step))
        trial.report(step, loss=1 / step)
        if trial.should_stop:
            return

betatune.Trainer(sys.argv[1], slots=2).run(train)
"""


class Conforms(unittest.TestCase):
    def check(self, *command, only="", study=tck_test.EXTERNAL):
        ran = tck_test.kit("trainer", "STUDY", "--json", "--quiet", *(["--only", only] if only else []), "--", *command,
                           study=study)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return json.loads(ran.stdout)

    def test_in_python(self):
        self.check(sys.executable, support.ROOT / "examples/protocol/trainer.py", "{address}",
                   only="" if LONG else "T-SESSION")

    def test_python_client(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "client.py"
            program.write_text(CLIENT.format(package=str(support.CLIENT)))
            command = (sys.executable, program, "{address}")
            resumable = tck_test.RESUMABLE
            report = self.check(*command, only="T-CHECKPOINT", study=resumable)
            self.assertEqual(report["skipped"], 0)
            report = self.check(*command, only="T-FILES", study=resumable)
            self.assertEqual(report["skipped"], 0)
            self.check(*command, only="" if LONG else "T-DELIVERY", study=resumable)

    def test_in_c(self):
        program = support.BUILD / "examples/protocol/trainer_c"
        if not program.exists():
            self.skipTest("built without libcjson-dev")
        self.check(program, "{address}", only="" if LONG else "T-ATTEMPT")

    def test_in_cpp(self):
        self.check(support.BUILD / "examples/protocol/trainer_cpp", "{address}", only="" if LONG else "T-ATTEMPT")


if __name__ == "__main__":
    unittest.main(verbosity=2)
