#!/usr/bin/env python3
"""A checkpoint that is torn, changed or missing when a trial is to go on from it: the trial falls back, and all else holds."""

import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

support.need("zmq", "python3-zmq")
STUDY = """\
parameters: {x: {type: float, min: 0, max: 1}}
fidelity: {max: 40}
algorithm: {name: random, scheduler: fifo}
stopping: {trials: 1}
storage: {checkpoints: {every: 1ms, keep: 3}}
server: {lease: 2s}
"""
# Its state is the number of steps that it has trained, over all its attempts.
TRAIN = """\
def train(t):
    trained = int((t.resume_dir / "trained").read_text()) if t.resume_dir else 0
    for step in t.steps:
        time.sleep(0.03)
        trained += 1
        with t.checkpoint(step) as folder:
            (folder / "trained").write_text(str(trained))
            (folder / "weights").write_bytes(bytes(100_000))
        t.report(step, loss=1 / step, trained=trained)
"""
TRAINER = "import sys, time, betatune\n" + TRAIN + "betatune.Trainer(sys.argv[1]).run(train)\n"
# A command's checkpoint counts when it ends: it is interrupted, and saves.
COMMAND = """\
import os, sys, time, betatune
with betatune.trial() as t:
    trained = int((t.resume_dir / "trained").read_text()) if t.resume_dir else 0
    for step in t.steps:
        time.sleep(0.03)
        trained += 1
        with t.checkpoint(step) as folder:
            (folder / "trained").write_text(str(trained))
        t.report(step, loss=1 / step, trained=trained)
        if t.should_stop:
            break
"""


def flip(folder):
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.name != "B2SUMS"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        return


def tear(folder):
    os.truncate(next(each for each in sorted(folder.rglob("*")) if each.is_file() and each.name != "B2SUMS"), 0)


DAMAGES = {"flipped": flip, "torn": tear, "missing": shutil.rmtree}


def saved(study):
    """(uri, step) of all checkpoints that were reported, oldest first, by the view for people."""
    with sqlite3.connect(f"file:{study.folder}/runs/demo/study.db?mode=ro", uri=True) as database:
        return database.execute("SELECT uri, step FROM checkpoints WHERE NOT damaged ORDER BY attempt, step").fetchall()


def reports_of(study, attempt):
    if not (study.folder / "runs/demo/study.db").exists():
        return 0
    return sum(each["attempt"] == attempt for each in study.events("reported"))


def end_all(study):
    """Every process of the study, whatever started it."""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            ours = str(study.folder) in (entry / "cmdline").read_text() or os.readlink(entry / "cwd") == str(study.folder)
            if ours:
                os.kill(int(entry.name), signal.SIGKILL)
        except (OSError, UnicodeDecodeError):
            continue


class DamagedCheckpoint(unittest.TestCase):
    def check(self, study, step, older):
        """The attempt that was to go on from `step` failed alone, and the trial went on from `older`."""
        study.check_log(1)
        failed = [each for each in study.events("attempt_ended") if each.get("failure") == "checkpoint"]
        self.assertEqual([each["charged"] for each in failed], [False])
        starts = {each["attempt"]: each for each in study.events("attempt_started")}
        self.assertEqual(starts[failed[0]["attempt"]]["from"], step)
        self.assertEqual(starts[failed[0]["attempt"] + 1]["from"], older)
        for each in study.events("reported"):
            if "trained" in each["metrics"]:
                self.assertEqual(each["metrics"]["trained"], each["step"])
        return failed[0]["message"]

    def test_of_the_python_trainer(self):
        for name, damage in DAMAGES.items():
            with self.subTest(name), support.StudyProcess(STUDY + "trainer: {external: true}\n") as study:
                (study.folder / "train.py").write_text(TRAINER)
                begin = lambda address: study.help([sys.executable, "train.py", address],  # noqa: E731
                                                   env=support.environment())
                first = begin(study.start())
                support.eventually(lambda: len(saved(study)) > 4, "checkpoints")
                study.kill()
                first.kill()
                end_all(study)
                (_, older), (uri, step) = saved(study)[-2:]
                damage(study.folder / "runs/demo" / uri)

                begin(study.start())

                self.assertEqual(study.wait(), 0)
                self.check(study, step, older)

    def test_of_a_command(self):
        for name, damage in DAMAGES.items():
            text = STUDY + "trainer: {command: [python3, train.py]}\nlauncher: {trainers: 1}\n"
            with self.subTest(name), support.StudyProcess(text) as study:
                (study.folder / "train.py").write_text(COMMAND)
                for _ in range(2):
                    before = len(saved(study)) if study.runs else 0
                    study.launch()
                    support.eventually(lambda: reports_of(study, study.runs) > 3, "reports")
                    study.process.send_signal(signal.SIGINT)
                    study.wait()
                    self.assertEqual(len(saved(study)), before + 1, study.output.read_text())
                (_, older), (uri, step) = saved(study)
                damage(study.folder / "runs/demo" / uri)

                study.launch()

                self.assertEqual(study.wait(), 0, study.output.read_text())
                self.assertIn("is missing" if name == "missing" else "has changed", self.check(study, step, older))

    def test_the_model_is_sealed_in_the_form_of_b2sum(self):
        with support.StudyProcess(STUDY.replace("max: 40", "max: 5") + "trainer: {external: true}\n") as study:
            (study.folder / "train.py").write_text(TRAINER)
            study.help([sys.executable, "train.py", study.start()], env=support.environment())
            self.assertEqual(study.wait(), 0)

            (uri, _) = saved(study)[-1]
            model = study.folder / "runs/demo" / uri
            self.assertEqual([each.name for each in model.parent.iterdir()], [model.name])
            subprocess.run(["b2sum", "--quiet", "-c", "B2SUMS"], cwd=model, check=True)


if __name__ == "__main__":
    unittest.main()
