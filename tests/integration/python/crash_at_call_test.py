#!/usr/bin/env python3
"""The optimizer is killed at one call after the other that changes a file or sends a message; the study ends the same.

BETATUNE_CRASH_STRIDE: every how many calls (some thirty moments; with BETATUNE_LONG_TESTS every one, three times).
"""

import os
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

LONG = bool(os.environ.get("BETATUNE_LONG_TESTS"))
MOMENTS = 30
TRIALS = 5
STUDY = f"""\
parameters: {{x: {{type: float, min: -5, max: 10}}, y: {{type: float, min: 0, max: 15}}}}
fidelity: {{min: 1, max: 4}}
algorithm: {{name: random, scheduler: {{name: asha, eta: 2}}}}
stopping: {{trials: {TRIALS}}}
storage: {{checkpoints: {{every: 1ms, keep: 1}}}}
trials: {{retry: {{infra: 100}}}}
trainer: {{plugin: branin, config: {{steps: 4}}}}
launcher: {{trainers: 2}}
"""


class CrashAtCall(unittest.TestCase):
    def shim(self, **more):
        return {"LD_PRELOAD": support.preload("crash_at_call"), "BETATUNE_CRASH_PROGRAM": "betatune", **more}

    def finish(self, study):
        self.assertEqual(study.wait(), 0, study.output.read_text())
        study.check_log(trials=TRIALS)

    def calls(self) -> int:
        with support.StudyProcess(STUDY) as study:
            study.launch(**self.shim(BETATUNE_CRASH_COUNT=str(study.folder / "count")))
            self.finish(study)
            return int((study.folder / "count").read_text())

    def crash(self, at: int, **how) -> bool:
        """Whether it came to the call; which calls there are is up to the machine."""
        with support.StudyProcess(STUDY) as study:
            study.launch(**self.shim(BETATUNE_CRASH_AT=str(at), **how))
            status = study.wait()
            self.assertIn(status, (0, -signal.SIGKILL), study.output.read_text())
            if status != 0 and at % 2:  # and in the middle of putting that right
                study.launch(**self.shim(BETATUNE_CRASH_AT=str(at // 2), **how))
                study.wait()
            study.launch()
            self.finish(study)
            return status != 0

    def test_nothing_is_lost_whichever_call_is_the_last(self):
        calls = self.calls()
        self.assertGreater(calls, 100)
        stride = int(os.environ.get("BETATUNE_CRASH_STRIDE", 1 if LONG else max(1, calls // MOMENTS)))
        crashes = 0
        for round in range(3 if LONG else 1):
            for at in range(1 + round, calls + 1, stride):
                how = {"BETATUNE_CRASH_HALF": "1"} if (at // stride + round) % 2 else {}
                with self.subTest(at=at, how=how):
                    crashes += self.crash(at, **how)
        print(f"{crashes} crashes at {calls} calls")
        self.assertGreater(crashes, calls // stride // 2)


if __name__ == "__main__":
    unittest.main()
