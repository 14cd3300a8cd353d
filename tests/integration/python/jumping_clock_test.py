#!/usr/bin/env python3
"""The wall clock jumps by days and years, back and forth, while a study runs and is started again: nothing depends on it."""

import pathlib
import sqlite3
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

TRIALS = 40
DAY_S = 86_400
JUMPS_S = (DAY_S, -2 * DAY_S, 4000 * DAY_S, 0, -3600, 7)
STUDY = f"""\
parameters: {{x: {{type: float, min: -5, max: 10}}, y: {{type: float, min: 0, max: 15}}}}
fidelity: {{max: 6}}
algorithm: {{name: random, scheduler: fifo}}
stopping: {{trials: {TRIALS}, wall_time: 1h, trainer_hours: 1}}
storage: {{checkpoints: {{every: 1ms, keep: 1}}}}
server: {{lease: 1s}}
trials: {{limits: {{wall_time: 30m, silence: 10m}}}}
trainer: {{plugin: branin, config: {{steps: 6, delay_ms: 50}}}}
launcher: {{trainers: 2}}
"""


class JumpingClock(unittest.TestCase):
    def set_clock(self, study, seconds: int) -> dict:
        with open(study.folder / "clock", "r+b" if (study.folder / "clock").exists() else "wb") as file:
            file.write(struct.pack("=q", seconds))
        return {"LD_PRELOAD": support.preload("jumping_clock"), "BETATUNE_CLOCK_FILE": str(study.folder / "clock")}

    def jump_until(self, study, done) -> None:
        """Every half of a lease another time, until done()."""
        until = time.monotonic() + support.LONGEST_S
        for i in range(10**6):
            if done():
                return
            self.assertLess(time.monotonic(), until)
            self.assertIn(study.process.poll(), (None, 0), study.output.read_text())
            self.set_clock(study, JUMPS_S[i % len(JUMPS_S)])
            time.sleep(0.25)

    def test_no_lease_budget_or_limit_goes_by_it(self):
        with support.StudyProcess(STUDY) as study:
            study.launch(**self.set_clock(study, 0))
            self.jump_until(study, lambda: self.closed(study) >= TRIALS // 3)
            study.kill()
            study.launch(**self.set_clock(study, -30 * DAY_S))  # a month before its own log
            support.eventually(lambda: len(study.events("optimizer_started")) == 2, "a second start")
            self.jump_until(study, lambda: study.process.poll() is not None)
            self.assertEqual(study.wait(), 0, study.output.read_text())
            study.check_log(trials=TRIALS)
            # The kill may have ended an attempt of each trainer; the clock ends none.
            ended_early = [each for each in study.events("attempt_ended") if each["end"] != "reached"]
            self.assertLessEqual(len(ended_early), 2, ended_early)
            self.assertTrue(self.went_back(study), "the clock of this test does not jump")

    def closed(self, study) -> int:
        try:
            return len(study.events("trial_closed"))
        except sqlite3.OperationalError:  # not yet there
            return 0

    def went_back(self, study) -> bool:
        """Whether the log's own times show the jump."""
        times = study.times()
        return any(later < earlier - DAY_S * 10**6 for earlier, later in zip(times, times[1:]))


if __name__ == "__main__":
    unittest.main()
