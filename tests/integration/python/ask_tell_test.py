#!/usr/bin/env python3
"""betatune.ask_tell against the real `betatune ask-tell`."""

import math
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402
import betatune  # noqa: E402

STUDY = """\
version: 1
study: {name: asked, seed: 1}
objective: {metric: val_loss}
parameters: {x: {type: float, min: 0, max: 1}}
stopping: {trials: 6}
trainer: {external: true}
"""


class AskTell(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.file = pathlib.Path(scratch.name) / "study.yaml"
        self.file.write_text(STUDY + f"storage: {{path: {scratch.name}/study}}\n")

    def open(self, **options):
        study = betatune.ask_tell(self.file, program=support.BETATUNE, **{"memory": True, **options})
        self.addCleanup(study.close)
        return study

    def test_iterates_over_the_whole_budget(self):
        with self.open() as study:
            losses = {}
            for trial in study:
                losses[trial.id] = (trial.params["x"] - 0.3) ** 2
                trial.tell(losses[trial.id])
            best = study.best()

        self.assertEqual(list(losses), [0, 1, 2, 3, 4, 5])
        self.assertEqual(best["loss"], min(losses.values()))

    def test_tells_metrics_failures_and_what_is_not_finite(self):
        with self.open() as study:
            self.assertIsNone(study.best())
            a, b, c = study.ask(3)
            a.fail("oom")
            b.tell(math.nan)
            c.tell(metrics={"val_loss": 0.25, "seconds": 3})

            self.assertEqual((study.best()["id"], study.best()["loss"]), (c.id, 0.25))
            self.assertEqual(study.recommend()["id"], c.id)
            with self.assertRaises(ValueError):
                a.fail("tired")

    def test_tries_what_is_enqueued_first(self):
        with self.open() as study:
            study.enqueue({"x": 0.125})

            self.assertEqual(study.ask()[0].params, {"x": 0.125})

    def test_reports_are_answered_by_decisions(self):
        self.file.write_text(STUDY + "fidelity: {max: 9, resumable: false}\n"
                             "algorithm: {name: random, scheduler: {name: asha, mode: stop}}\n")
        decisions = []
        with self.open() as study:
            for trial in study:
                for step in range(1, trial.until + 1):
                    decisions.append(trial.report(step, loss=trial.id + 1 / step))
                    if decisions[-1]:
                        break
                else:
                    trial.tell(trial.id)

        self.assertIn(betatune.Decision.STOP, decisions)
        self.assertIn(betatune.Decision.CONTINUE, decisions)

    def test_a_refused_request_changes_nothing(self):
        with self.open() as study:
            (trial,) = study.ask()
            with self.assertRaises(betatune.RequestRefused) as caught:
                study.enqueue({"y": 1})
            self.assertIn("y", str(caught.exception))
            trial.tell(1.0)

    def test_hands_out_again_what_was_not_told(self):
        with self.open(memory=False) as study:
            (before,) = study.ask()
        with self.open(memory=False) as study:
            (again,) = study.ask()

        self.assertEqual(before, again)

    def test_says_why_it_cannot_start(self):
        self.file.write_text("version: 1\nstudy: {}\n")
        with self.assertRaises(betatune.AskTellEnded) as caught:
            self.open().ask()
        self.assertEqual(caught.exception.status, 3)
        self.assertIn("study.yaml:2", str(caught.exception))

        with self.assertRaises(betatune.AskTellEnded) as caught:
            betatune.ask_tell(self.file, program="/no/such/betatune")
        self.assertIn("BETATUNE_PROGRAM", str(caught.exception))

    def test_a_closed_conversation_says_so(self):
        study = self.open()
        study.close()
        study.close()
        with self.assertRaises(betatune.AskTellError):
            study.ask()


if __name__ == "__main__":
    unittest.main()
