#!/usr/bin/env python3
"""The studies of examples/ run as their first lines say, cut down to seconds."""

import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402


def need(*modules):
    missing = [each for each in modules if importlib.util.find_spec(each) is None]
    return unittest.skipIf(missing, f"{sys.executable} has no {', '.join(missing)}")


class Examples(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="betatune-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.environment = support.environment()

    def copy(self, name, trials, changes=()):
        shutil.copytree(support.ROOT / "examples" / name, self.folder / name)
        study = self.folder / name / "study.yaml"
        text = re.sub(r"trials: \d+", f"trials: {trials}", study.read_text())
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        study.write_text(text)
        return study

    def execute(self, *command):
        done = subprocess.run([str(each) for each in command], cwd=self.folder, env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=support.LONGEST_S)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def check_log(self, name, trials):
        self.execute(sys.executable, support.ROOT / "tests/support/check_log.py", f"runs/{name}", "--trials", trials)

    def by_hand(self, script):
        """Without Betatune it prints its reports."""
        return self.execute("env", f"PYTHONPATH={support.CLIENT}", sys.executable, script)

    @need("sklearn")
    def test_sklearn(self):
        study = self.copy("sklearn", 6, [("max: 9", "max: 3"), ("max: 128, scale", "max: 32, scale")])

        said = self.execute("betatune", "run", "--quiet", study)

        self.assertIn("best: trial", said)
        self.check_log("sklearn-digits", 6)
        self.assertIn('"error"', self.by_hand(study.with_name("train.py")))

    def test_shell(self):
        study = self.copy("shell", 6)

        self.assertIn("cost =", self.execute("betatune", "run", "--quiet", study))
        self.check_log("shell", 6)
        self.assertIn("blocks:", (self.folder / "runs/shell/trials/0/attempt-1/log").read_text())

    @need("torch")
    def test_pytorch(self):
        study = self.copy("pytorch", 4, [("max: 27", "max: 3")])

        self.execute("betatune", "run", "--quiet", study)

        self.check_log("pytorch-spirals", 4)
        self.assertIn('"val_loss"', self.by_hand(study.with_name("train.py")))

    @need("torch")
    def test_pytorch_ddp(self):
        study = self.copy("pytorch-ddp", 4, [("max: 9", "max: 3")])

        self.execute("betatune", "run", "--quiet", study)

        self.check_log("pytorch-ddp", 4)

    @need("optuna")
    def test_optuna(self):
        # Trials so long that the driver is there before most of them begin.
        study = self.copy("optuna", 8, [("seconds: 0.5", "seconds: 3")])
        driver = study.with_name("drive.py")
        driver.write_text(driver.read_text().replace("BUDGET = 20", "BUDGET = 8"))
        training = study.with_name("train.py")
        fails = '    if t.id == 1:\n        raise betatune.TrialFailed("user", "as some do")\n    x, y'
        training.write_text(training.read_text().replace("    x, y", fails, 1))
        run = subprocess.Popen([support.BETATUNE, "run", "--quiet", study], cwd=self.folder, env=self.environment,
                               stdout=subprocess.DEVNULL)
        self.addCleanup(run.kill)
        support.eventually((self.folder / "runs/optuna/study.db").exists, "a study")

        said = self.execute(sys.executable, driver, study)

        self.assertEqual(run.wait(support.LONGEST_S), 0)
        self.check_log("optuna", 8)
        self.assertEqual(said.count("trial "), 8)
        self.assertIn("trial 1: failed", said)
        self.assertGreater(said.count("by enqueued"), 2)

    def test_ask_tell(self):
        study = self.copy("ask-tell", 8)

        said = self.execute("python3", study.with_name("loop.py"))

        self.assertEqual(said.count("trial "), 8)
        self.assertIn("best: {", said)
        self.check_log("ask-tell", 8)


if __name__ == "__main__":
    unittest.main()
