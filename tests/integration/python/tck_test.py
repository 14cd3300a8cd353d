#!/usr/bin/env python3
"""The conformance kit passes what conforms: this repository's optimizer and trainers, with and without keys."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

support.need("zmq", "python3-zmq")
BETATUNE = support.BUILD / "bin/betatune"
LONG = bool(os.environ.get("BETATUNE_LONG_TESTS"))
# Steps long enough to be interrupted between two of them.
EXTERNAL = """\
version: 1
study: {name: kit}
objective: {metric: loss}
parameters: {x: {type: float, min: 0, max: 1}}
fidelity: {max: 20, resumable: false}
stopping: {trials: 1}
trainer: {external: true, config: {delay_ms: 30}}
"""
RESUMABLE = EXTERNAL.replace(", resumable: false", "")
COMMAND = EXTERNAL.replace("{external: true, config: {delay_ms: 30}}", "{command: [sh, train.sh]}")
SCRIPT = """\
for step in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  echo "{\\"step\\": $step, \\"loss\\": 0.$step}"
  sleep 0.03
done
"""
# The same with checkpoints, and a file as large as some parts of it.
SAVING = RESUMABLE.replace("{external: true, config: {delay_ms: 30}}", "{command: [python3, save.py]}")
SAVER = """\
import json, os, pathlib, time
resume, saves = os.environ.get("BETATUNE_RESUME_DIR"), pathlib.Path(os.environ["BETATUNE_CHECKPOINT_DIR"])
step = int(pathlib.Path(resume, "step").read_text()) if resume else 0
(saves / "weights").write_bytes(bytes(600_000))
while step < 20:
    step += 1
    time.sleep(0.03)
    (saves / "new").write_text(str(step))
    (saves / "new").rename(saves / "step")
    print(json.dumps({"step": step, "loss": 1 / step}), flush=True)
"""


def kit(*arguments, study=EXTERNAL):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "study.yaml").write_text(study)
        (folder / "train.sh").write_text(SCRIPT)
        (folder / "save.py").write_text(SAVER)
        words = [str(each).replace("STUDY", str(folder / "study.yaml")) for each in arguments]
        ran = subprocess.run([BETATUNE, "tck", *words], capture_output=True, text=True)
        return ran


class Conforms(unittest.TestCase):
    def check(self, *arguments, study=EXTERNAL):
        ran = kit(arguments[0], "--json", "--quiet", *arguments[1:], study=study)
        # Of a SHOULD, a machine under load may break what is said of times.
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return json.loads(ran.stdout)

    def test_optimizer(self):
        report = self.check("optimizer", "--", BETATUNE, "run", "{study}", "--bind", "{address}")
        self.assertGreaterEqual(report["passed"], 80)
        self.assertEqual(report["skipped"], 0)

    def test_optimizer_with_keys(self):
        only = [] if LONG else ["--only", "O-RECOVERY"]
        self.check("optimizer", "--curve", *only, "--", BETATUNE, "run", "{study}", "--bind", "{address}")

    def test_own_trainer(self):
        report = self.check("trainer", "STUDY", "--", support.BUILD / "bin/betatune-trainer", "--connect", "{address}",
                            "--slots", "2", study=COMMAND)
        self.assertGreaterEqual(report["passed"], 60)

    def test_own_trainer_whose_files_travel(self):
        report = self.check("trainer", "STUDY", "--only", "T-FILES", "--", support.BUILD / "bin/betatune-trainer",
                            "--connect", "{address}", study=SAVING)
        self.assertEqual(report["skipped"], 0)

    def test_own_trainer_with_a_key(self):
        only = [] if LONG else ["--only", "T-DELIVERY"]
        self.check("trainer", "STUDY", *only, "--", support.BUILD / "bin/betatune-trainer", "--connect", "{address}",
                   "--key", "{key}", study=COMMAND)


class TellsWhatIsWrong(unittest.TestCase):
    def test_a_trainer_that_says_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            junit = pathlib.Path(folder) / "report.xml"
            ran = kit("trainer", "STUDY", "--only", "T-SESSION-1", "--patience", "0.2", "--junit", junit, "--", "sleep",
                      "9", "{address}")
            suite = xml.parse(junit).getroot()
        self.assertEqual(ran.returncode, 1)
        self.assertIn("no HELLO came", ran.stderr)
        self.assertIn("does not conform", ran.stdout)
        self.assertGreater(int(suite.get("failures")), 0)
        self.assertEqual(int(suite.get("tests")), len(suite.findall("testcase")))

    def test_a_command_that_cannot_be_started(self):
        ran = kit("trainer", "STUDY", "--only", "T-SESSION-2", "--patience", "1", "--", "no-such-program", "{address}")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("it has exited, and said: No such file", ran.stderr)

    def test_a_command_without_an_address(self):
        ran = kit("trainer", "STUDY", "--", "sleep", "1")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("{address}", ran.stderr)

    def test_a_case_that_is_not_there(self):
        ran = kit("trainer", "STUDY", "--only", "T-NOTHING", "--", "sleep", "1", "{address}")
        self.assertEqual(ran.returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
