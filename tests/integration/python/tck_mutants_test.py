#!/usr/bin/env python3
"""The conformance kit finds the mistake in every mutant."""

import importlib.util
import json
import pathlib
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tck_test  # noqa: E402
from tck_test import support  # noqa: E402

MUTANTS = support.ROOT / "tests/support/mutants"


def load(name):
    spec = importlib.util.spec_from_file_location("mutant_" + name, MUTANTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MUTATIONS


class Finds(unittest.TestCase):
    def check(self, kind, cases, command, study=tck_test.EXTERNAL):
        """Every mutant fails its case; what is right passes them all."""
        def verdict(name):
            ran = tck_test.kit(kind, *(["STUDY"] if kind == "trainer" else []), "--json", "--quiet", "--patience", "6",
                               "--only", cases[name], "--", *command(name), study=study)
            report = json.loads(ran.stdout)
            return next(each for each in report["cases"] if each["id"] == cases[name])

        with ThreadPoolExecutor(2) as pool:
            for name, found in zip(cases, pool.map(verdict, cases)):
                with self.subTest(name):
                    self.assertEqual(found["verdict"], "failed", f"{name} was not found by {found['id']}")

    def test_trainers(self):
        cases = {name: case for name, (_, _, case) in load("trainer").items()}
        self.check("trainer", cases, lambda name: (sys.executable, MUTANTS / "trainer.py", name, "{address}"))

    def test_clients_whose_files_travel(self):
        cases = {name: case for name, (_, case) in load("client").items()}
        self.check("trainer", cases, lambda name: (sys.executable, MUTANTS / "client.py", name, "{address}"),
                   study=tck_test.RESUMABLE)

    def test_optimizers(self):
        cases = {name: mutant.case for name, mutant in load("optimizer").items()}
        self.check("optimizer", cases, lambda name: (
            sys.executable, MUTANTS / "optimizer.py", name, "{address}", "--", tck_test.BETATUNE, "run", "{study}",
            "--bind", "{inside}"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
