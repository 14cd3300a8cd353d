#!/usr/bin/env python3
"""The conversations of docs/protocol.md's appendix are what this repository's optimizer says today.

BETATUNE_UPDATE_GOLDEN=1 writes tests/golden/protocol anew; then build/tests/golden_optimizer writes the page.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

GOLDEN = support.ROOT / "tests/golden/protocol"


def transcripts(folder, *options) -> dict:
    """File name: its text."""
    subprocess.run([support.BETATUNE, "tck", "optimizer", "--quiet", "--transcripts", folder, *options, "--",
                    support.BETATUNE, "run", "{study}", "--bind", "{address}"], check=True)
    return {each.name: each.read_text() for each in pathlib.Path(folder).iterdir()}


class Conversations(unittest.TestCase):
    maxDiff = None

    def test_are_those_of_the_page(self):
        with tempfile.TemporaryDirectory() as folder:
            said = transcripts(folder, "--only", "O-CONVERSATION")
        if os.environ.get("BETATUNE_UPDATE_GOLDEN"):
            GOLDEN.mkdir(exist_ok=True)
            for each in GOLDEN.iterdir():
                each.unlink()
            for name, text in said.items():
                (GOLDEN / name).write_text(text)
        self.assertEqual(said, {each.name: each.read_text() for each in GOLDEN.iterdir()})

    def test_are_the_same_over_curve_but_for_the_name_of_the_key(self):
        with tempfile.TemporaryDirectory() as folder:
            said = transcripts(folder, "--only", "O-CONVERSATION-1", "--curve")
        self.assertEqual(said["O-CONVERSATION-1.txt"], (GOLDEN / "O-CONVERSATION-1.txt").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
