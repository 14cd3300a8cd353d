#!/usr/bin/env python3
"""A study that version 1 stored is shown and goes on in every later build; one that a later build has stored is refused.

tests/golden/optimizer/stores/v1.sql: four of eight trials under asha, by ask-tell (v1.yaml), over two starts: one enqueued
that waits at a rung, one diverged, one lost to its machine, one under way. A stored form that is released gets a file of
its own here, and none is ever changed.
"""

import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

STORES = support.ROOT / "tests/golden/optimizer/stores"
TRIALS = 8


class GoldenStore(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="betatune-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.study = self.folder / "runs/golden"
        self.study.mkdir(parents=True)
        shutil.copy(STORES / "v1.yaml", self.folder / "study.yaml")
        with self.database() as database:
            database.executescript((STORES / "v1.sql").read_text())

    def database(self):
        return sqlite3.connect(self.study / "study.db")

    def events(self):
        with self.database() as database:
            return database.execute("SELECT * FROM events ORDER BY seq").fetchall()

    def betatune(self, *arguments, status=0):
        done = subprocess.run([support.BETATUNE, *arguments], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def finish(self):
        """By ask-tell: trials are as good as their `x`, whichever way they began."""
        process = subprocess.Popen([support.BETATUNE, "ask-tell", "study.yaml"], cwd=self.folder, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def say(request):
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        first = None
        while asked := say({"ask": 2})["ask"]:
            first = first or {each["id"] for each in asked}
            for each in asked:
                self.assertEqual(say({"tell": {"id": each["id"], "loss": each["params"]["x"]}}), {"ok": True})
        say({"close": 1})
        process.stdin.close()
        process.stdout.close()
        self.assertEqual(process.wait(support.LONGEST_S), 0)
        return first

    def test_is_shown(self):
        shown = json.loads(self.betatune("status", "runs/golden", "--json"))

        self.assertEqual(shown["state"], "stopped")
        self.assertEqual((shown["events"], shown["epoch"], shown["seed"]), (22, 2, "1"))
        trials = {name: count for name, count in shown["trials"].items() if count}
        self.assertEqual(trials, {"total": 4, "waiting": 1, "running": 1, "paused": 1, "failed": 1})
        self.assertEqual(shown["failures"], {"diverged": 1})
        self.assertEqual((shown["best"]["id"], shown["best"]["loss"]), (0, 0.25))
        for command in (["trials", "runs/golden"], ["show", "runs/golden", "0"], ["best", "runs/golden"],
                        ["export", "csv", "runs/golden"], ["export", "jsonl", "runs/golden"]):
            self.assertIn("0.25", self.betatune(*command))

    def test_goes_on(self):
        before = self.events()

        first = self.finish()

        self.assertEqual(first, {2, 3})  # the one under way, and the one that its machine lost
        self.assertEqual(self.events()[:len(before)], before)
        support_says = subprocess.run([sys.executable, support.ROOT / "tests/support/check_log.py", self.study, "--trials",
                                       str(TRIALS)], capture_output=True, text=True)
        self.assertEqual(support_says.returncode, 0, support_says.stdout)
        self.betatune("replay", "runs/golden", "--verify")

    def test_of_a_later_version_is_refused(self):
        with self.database() as database:
            version, = database.execute("PRAGMA user_version").fetchone()
            database.execute(f"PRAGMA user_version={version + 1}")

        for command in (["status", "runs/golden"], ["ask-tell", "study.yaml"]):
            with self.subTest(command):
                self.assertIn("newer", self.betatune(*command, status=5))


if __name__ == "__main__":
    unittest.main(verbosity=2)
