#!/usr/bin/env python3
"""betatune.trial(): what a script reads and writes, with the environment of docs/command-trainer.md."""

import contextlib
import io
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

CLIENT = pathlib.Path(__file__).resolve().parents[3] / "trainers/python"
sys.path.insert(0, str(CLIENT))
import betatune  # noqa: E402


class CommandTrial(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        (self.folder / "params.json").write_text('{"lr": 0.5, "units": 64, "name": "adam", "flag": true}')
        for name in ("checkpoint", "resume"):
            (self.folder / name).mkdir()
        self.metrics = self.folder / "metrics.jsonl"
        environment = {
            "PARAMS_FILE": self.folder / "params.json", "CONFIG": '{"data": "x"}', "TRIAL": 4, "ATTEMPT": 2,
            "SEED": 2**53 - 1, "FROM": 2, "UNTIL": 5, "OBJECTIVE": "loss", "CPUS": 3, "STUDY_DIR": self.folder,
            "RESUME_DIR": self.folder / "resume", "CHECKPOINT_DIR": self.folder / "checkpoint",
            "METRICS_FILE": self.metrics,
        }
        self.environment = {f"BETATUNE_{name}": str(value) for name, value in environment.items()}
        patch = mock.patch.dict(os.environ, self.environment)
        patch.start()
        self.addCleanup(patch.stop)

    def lines(self):
        return [json.loads(line) for line in self.metrics.read_text().splitlines()]

    def test_has_what_the_environment_says(self):
        with betatune.trial() as t:
            self.assertEqual(t.params, {"lr": 0.5, "units": 64, "name": "adam", "flag": True})
            self.assertEqual((t.id, t.attempt, t.seed, t.start, t.until, t.cpus), (4, 2, 2**53 - 1, 2, 5, 3))
            self.assertEqual((t.objective, t.config, list(t.steps)), ("loss", {"data": "x"}, [3, 4, 5]))
            self.assertEqual(t.resume_dir, self.folder / "resume")

    def test_writes_reports_at_once(self):
        with betatune.trial() as t:
            self.assertIs(t.report(3, loss=0.5), betatune.Decision.CONTINUE)
            self.assertEqual(self.lines(), [{"step": 3, "loss": 0.5}])
            t.report(None, {"val/loss": 1}, loss=math.nan)

        self.assertEqual(self.lines()[1], {"step": 4, "val/loss": 1.0, "loss": "NaN"})

    def test_refuses_reports_that_would_be_refused(self):
        with betatune.trial() as t:
            bad = [lambda: t.report(2, loss=1), lambda: t.report(6, loss=1), lambda: t.report(3.5, loss=1),
                   lambda: t.report(3), lambda: t.report(3, loss="1"), lambda: t.report(3, loss=None),
                   lambda: t.report(3, {"step": 1}), lambda: t.report(3, {"": 1}),
                   lambda: t.report(3, {str(i): i for i in range(257)})]
            for each in bad:
                with self.assertRaises(betatune.BadReport):
                    each()

        self.assertEqual(self.metrics.read_text(), "")

    def test_a_sigterm_is_the_decision(self):
        before = signal.getsignal(signal.SIGTERM)
        with betatune.trial() as t:
            self.assertFalse(t.should_stop)
            os.kill(os.getpid(), signal.SIGTERM)
            self.assertIs(t.decision, betatune.Decision.PAUSE)
            self.assertFalse(t.should_stop, "a checkpoint comes first")
            self.assertTrue(t.checkpoint_due)
            self.assertIs(t.report(3, loss=1), betatune.Decision.PAUSE)
            self.assertTrue(t.should_stop, "it makes none")
            t.raise_if_stopped()  # leaves the block in order
            self.fail("not raised")
        self.assertIs(signal.getsignal(signal.SIGTERM), before)

    def test_a_pause_waits_for_no_more_than_its_checkpoint(self):
        with betatune.trial() as t:
            with t.checkpoint(3) as folder:
                (folder / "weights").write_text("3")
            t.report(3, loss=1)
            os.kill(os.getpid(), signal.SIGTERM)
            self.assertTrue(t.should_stop)

    def test_names_the_class_of_a_failure(self):
        with self.assertRaises(betatune.TrialFailed), betatune.trial():
            raise betatune.TrialFailed("oom", "too wide")

        self.assertEqual(self.lines(), [{"failed": "oom", "message": "too wide"}])

    def test_a_checkpoint_appears_whole_or_not_at_all(self):
        checkpoint = self.folder / "checkpoint"
        with betatune.trial() as t:
            for step in (3, 4):
                with t.checkpoint(step) as folder:
                    (folder / "weights").write_text(str(step))
            with self.assertRaises(ZeroDivisionError), t.checkpoint(5) as folder:
                (folder / "weights").write_text("half")
                raise ZeroDivisionError

        self.assertEqual([str(each.relative_to(checkpoint)) for each in checkpoint.rglob("*")],
                         ["state-4", "state-4/weights"])

    def test_goes_on_from_the_newest_state(self):
        for name in ("state-9", "state-10", "next.tmp"):
            (self.folder / "resume" / name).mkdir()
        with betatune.trial() as t:
            self.assertEqual(t.resume_dir, self.folder / "resume/state-10")

    def test_a_checkpoint_of_no_trained_step_is_refused(self):
        with betatune.trial() as t, self.assertRaises(betatune.BadReport):
            t.checkpoint(2)

    def as_rank(self, rank, ranks):
        os.environ.update({"BETATUNE_RANK": str(rank), "BETATUNE_RANKS": str(ranks),
                           "BETATUNE_SCRATCH_DIR": str(self.folder)})
        return betatune.trial()

    def test_is_rank_0_of_1_where_nothing_is_said(self):
        with betatune.trial() as t:
            self.assertEqual((t.rank, t.ranks), (0, 1))

    def test_rank_0_reports_and_saves(self):
        with self.as_rank(0, 2) as t:
            with t.checkpoint(3) as folder:
                (folder / "weights").write_text("3")
            t.report(3, loss=1)
            self.assertEqual((t.rank, t.ranks), (0, 2))

        self.assertEqual(self.lines(), [{"step": 3, "loss": 1.0}])
        self.assertTrue((self.folder / "checkpoint/state-3/weights").exists())

    def test_what_another_rank_reports_and_saves_goes_nowhere(self):
        with self.as_rank(1, 2) as t:
            with self.assertRaises(betatune.BadReport):
                t.report(3, loss="1")
            for step in (3, 4):
                with t.checkpoint(step) as folder:
                    (folder / "weights").write_text("x")
                self.assertIs(t.report(step, loss=1), betatune.Decision.CONTINUE)
            self.assertEqual((t.rank, t.ranks, t.step), (1, 2, 4))

        self.assertEqual(self.metrics.read_text(), "")
        self.assertEqual(list((self.folder / "checkpoint").iterdir()), [])

    def test_another_rank_is_told_and_heard_of_failures(self):
        with self.assertRaises(betatune.TrialFailed), self.as_rank(1, 2) as t:
            os.kill(os.getpid(), signal.SIGTERM)
            self.assertIs(t.decision, betatune.Decision.PAUSE)
            raise betatune.TrialFailed("oom", "too wide")

        self.assertEqual(self.lines(), [{"failed": "oom", "message": "too wide"}])

    def test_by_hand_under_torchrun_it_has_a_rank_too(self):
        for name in self.environment:
            del os.environ[name]
        os.environ.update(RANK="1", WORLD_SIZE="2")
        out = io.StringIO()
        with contextlib.redirect_stdout(out), betatune.trial({"lr": 1}) as t:
            t.report(loss=0.5)

        self.assertEqual((t.rank, t.ranks, out.getvalue()), (1, 2, ""))

    def test_by_hand_it_needs_parameters_and_prints(self):
        for name in self.environment:
            del os.environ[name]
        with self.assertRaises(betatune.NotATrial):
            betatune.trial()
        out = io.StringIO()
        with contextlib.redirect_stdout(out), betatune.trial({"lr": 1}, until=2) as t:
            with t.checkpoint(1) as folder:
                (folder / "state").write_text("x")
            t.report(loss=0.5)

        self.assertEqual(json.loads(out.getvalue()), {"step": 1, "loss": 0.5})

    def test_needs_no_pyzmq_nor_any_training_library(self):
        code = ("import sys; sys.path.insert(0, sys.argv[1]); import betatune\n"
                "print([n for n in ('zmq', 'torch', 'lightning', 'keras', 'xgboost', 'numpy') if n in sys.modules])")
        done = subprocess.run([sys.executable, "-c", code, CLIENT], capture_output=True, text=True, check=True)

        self.assertEqual(done.stdout, "[]\n")


if __name__ == "__main__":
    unittest.main()
