#!/usr/bin/env python3
"""A machine that does not see the study's folder: checkpoints go there and come back over the connection, whoever is killed."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

TRIALS, STEPS = 24, 9
LONG = bool(os.environ.get("BETATUNE_LONG_TESTS"))
STUDY = f"""\
parameters:
  lr: {{type: float, min: 0.001, max: 0.03}}
  momentum: {{type: float, min: 0, max: 0.9}}
fidelity: {{max: {STEPS}}}
algorithm: {{name: random, scheduler: asha}}
stopping: {{trials: {TRIALS}}}
storage: {{checkpoints: {{keep: 3, best: 100}}}}
server: {{lease: 10s}}
launcher: {{trainers: 1}}
trainer:
  command: [python3, slow.py, "--lr={{lr}}", "--momentum={{momentum}}", "--until={{until}}", "--checkpoint-dir={{checkpoint_dir}}", "--resume={{resume_dir}}"]
"""
# The example, slowly, with a large file in its checkpoint and something to say.
SLOW = """\
import os, sys, time
import train
epoch = train.train_epoch
def train_epoch(state, lr, momentum):
    time.sleep(0.05)
    print("epoch", state["epoch"])
    epoch(state, lr, momentum)
train.train_epoch = train_epoch
train.main()
"""


def can_hide_folders() -> bool:
    """Whether a process of this user can be given another view of the file system."""
    with tempfile.TemporaryDirectory() as folder:
        hide = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", folder]
        try:
            return subprocess.run(hide, capture_output=True).returncode == 0
        except OSError:
            return False


class Elsewhere:
    """A trainer that sees everything but the study's folder."""

    def __init__(self, study, address: str):
        self.scratch = tempfile.TemporaryDirectory(prefix="betatune-elsewhere-")
        self.study, self.address = study, address
        token = pathlib.Path(self.scratch.name, "token")
        shutil.copy(study.folder / "runs/demo/token", token)
        self.start(token)

    def start(self, token) -> None:
        self.name = f"elsewhere-{random.getrandbits(32):x}"
        trainer = [str(support.BUILD / "bin/betatune-trainer"), "--connect", self.address, "--token-file", str(token),
                   "--name", self.name, "--slots", "2"]
        environment = {**support.environment(), "TMPDIR": self.scratch.name}
        if can_hide_folders():
            hide = 'mount -t tmpfs none "$1" && shift && exec "$@"'
            trainer = ["unshare", "--mount", "sh", "-c", hide, "sh", str(self.study.folder / "runs"), *trainer]
        else:
            trainer += ["--own-folder", self.scratch.name]
        with open(self.study.folder / "elsewhere.txt", "a") as words:
            self.process = self.study.help(trainer, env=environment, stdout=subprocess.DEVNULL, stderr=words)

    def kill(self) -> None:
        """What the dead one leaves goes with the start of the next."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.start(pathlib.Path(self.scratch.name, "token"))

    def leftovers(self) -> list:
        return [each.name for each in pathlib.Path(self.scratch.name).iterdir() if each.name != "token"]


def loss_after(params: dict, steps: int) -> float:
    """What a training without interruption comes to."""
    sys.path.insert(0, str(support.ROOT / "examples/command"))
    import train
    state = train.read_state(None)
    for _ in range(steps):
        train.train_epoch(state, params["lr"], params["momentum"])
    return train.loss_of(state)


class TravellingCheckpoints(unittest.TestCase):
    def test_nothing_is_lost_or_trained_twice(self):
        for seed in range(20 if LONG else 1):
            with self.subTest(seed=seed):
                self.trained_in_two_places(seed)

    def trained_in_two_places(self, seed: int):
        draw = random.Random(seed)
        with support.StudyProcess(STUDY) as study:
            shutil.copy(support.ROOT / "examples/command/train.py", study.folder)
            (study.folder / "slow.py").write_text(SLOW)
            port = 20000 + os.getpid() % 20000
            bind = f"tcp://127.0.0.1:{port}"
            study.launch("--bind", bind)
            support.eventually(lambda: (study.folder / "runs/demo/token").exists(), "a token")
            elsewhere = Elsewhere(study, bind)
            for victim in draw.sample(["optimizer", "optimizer", "trainer"], 3):
                before = self.reports_from_elsewhere(study)
                wanted = before + draw.randrange(1, 12)
                support.eventually(lambda: self.reports_from_elsewhere(study) >= wanted or study.process.poll() is not None,
                                   "work elsewhere")
                if study.process.poll() is not None:
                    break
                if victim == "optimizer":
                    study.kill()
                    study.launch("--bind", bind)
                else:
                    elsewhere.kill()

            self.assertEqual(study.wait(), 0, study.output.read_text())
            elsewhere.process.wait(support.LONGEST_S)
            complaints = (study.folder / "elsewhere.txt").read_text()
            self.assertEqual(elsewhere.process.returncode, 0, complaints)
            self.assertEqual(elsewhere.leftovers(), [], complaints)
            study.check_log(TRIALS)
            self.same_as_without_interruption(study)
            self.has_travelled(study, elsewhere.name)
            elsewhere.scratch.cleanup()

    @staticmethod
    def reports_from_elsewhere(study) -> int:
        try:
            mine = {(each["trial"], each["attempt"]) for each in study.events("attempt_started")
                    if each["trainer"].startswith("elsewhere")}
            return sum((each["trial"], each["attempt"]) in mine for each in study.events("reported"))
        except Exception:  # the database is not there yet
            return 0

    def same_as_without_interruption(self, study):
        params = {number: each["configuration"] for number, each in enumerate(study.events("trial_created"))}
        for each in study.events("reported"):
            if "loss" in each:
                self.assertAlmostEqual(each["loss"], loss_after(params[each["trial"]], each["step"]), 12)

    def has_travelled(self, study, survivor: str):
        """Trials went on with what had gone there or come from there, and so did their logs."""
        runs = study.folder / "runs/demo"
        ended = {(each["trial"], each["attempt"]) for each in study.events("attempt_ended") if each["end"] != "lost"}
        place, moved, logs = {}, set(), 0
        for each in study.events("attempt_started"):
            trial, attempt = each["trial"], each["attempt"]
            here = "elsewhere" if each["trainer"].startswith("elsewhere") else "here"
            if each.get("from", 0) > 0:
                moved.add((place[trial], here))
            place[trial] = here
            if each["trainer"] == survivor and (trial, attempt) in ended:
                self.assertIn("epoch", (runs / f"trials/{trial}/attempt-{attempt}/log").read_text(), each)
                logs += 1
        self.assertTrue(any("elsewhere" in each for each in moved), moved)
        self.assertGreater(logs, 0)
        self.assertFalse(list((runs / "incoming").glob("*")))
        sums = list(runs.glob("checkpoints/*/*/B2SUMS"))
        self.assertTrue(sums)
        for each in sums:
            subprocess.run(["b2sum", "-l", "256", "--quiet", "-c", "B2SUMS"], cwd=each.parent, check=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
