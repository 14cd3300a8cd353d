#!/usr/bin/env python3
"""The trainers of examples/protocol run a real study to exactly its trials, also across a kill of the optimizer."""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

support.need("zmq", "python3-zmq")
STUDY = """\
parameters: {x: {type: float, min: 0, max: 1}}
fidelity: {max: 9}
algorithm: {name: random, scheduler: %s}
stopping: {trials: %d}
trainer: {external: true, config: {delay_ms: %d}}
"""
PROGRAMS = support.BUILD / "examples" / "protocol"


class ReferenceTrainer:
    """The claims; one class below for each language."""

    command = ()

    def start_trainer(self, study, *address):
        return study.help([*self.command, *address], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_runs_exactly_the_trials_asked_for(self):
        with support.StudyProcess(STUDY % ("{name: asha, mode: stop}", 30, 10)) as study:
            trainer = self.start_trainer(study, study.start())

            acknowledged, complaints = trainer.communicate(timeout=support.LONGEST_S)

            self.assertEqual((trainer.returncode, study.wait()), (0, 0), complaints)
            study.check_log(30, acknowledged)
            stops = [each for each in study.events("decided") if each["action"] != "continue"]
            self.assertGreater(len(stops), 0)

    def test_goes_on_when_the_optimizer_is_killed_and_restarted(self):
        with support.StudyProcess(STUDY % ("fifo", 8, 60)) as study:
            trainer = self.start_trainer(study, study.start())
            for _ in range(3):
                before = len(study.events("reported"))
                support.eventually(lambda: len(study.events("reported")) > before + 5, "reports")
                study.kill()
                study.start()

            acknowledged, complaints = trainer.communicate(timeout=support.LONGEST_S)

            self.assertEqual((trainer.returncode, study.wait()), (0, 0), complaints)
            study.check_log(8, acknowledged)
            # It was not only tried again: the attempts that ran then went on. One that was recorded, but killed on its
            # way to the trainer, has never run.
            ran = {(each["trial"], each["attempt"]) for each in study.events("reported")}
            ended = study.events("attempt_ended")
            self.assertEqual({each["end"] for each in ended if (each["trial"], each["attempt"]) in ran}, {"reached"})
            self.assertEqual(len(ran), 8)
            self.assertEqual(len(study.events("reported")), 8 * 9)
            self.assertEqual(len(study.events("optimizer_started")), 4)

    def test_shows_the_token_on_the_loopback_device(self):
        with support.StudyProcess(STUDY % ("fifo", 3, 0) + "server: {bind: 'tcp://127.0.0.1:*'}\n") as study:
            address = study.start()
            intruder = self.start_trainer(study, address)
            _, complaints = intruder.communicate(timeout=support.LONGEST_S)
            self.assertNotEqual(intruder.returncode, 0)
            self.assertIn("bad_token", complaints)

            trainer = self.start_trainer(study, address, study.folder / "runs/demo/token")
            acknowledged, complaints = trainer.communicate(timeout=support.LONGEST_S)

            self.assertEqual((trainer.returncode, study.wait()), (0, 0), complaints)
            study.check_log(3, acknowledged)


class InPython(ReferenceTrainer, unittest.TestCase):
    command = (sys.executable, support.ROOT / "examples/protocol/trainer.py")


@unittest.skipUnless((PROGRAMS / "trainer_c").exists(), "built without libcjson-dev")
class InC(ReferenceTrainer, unittest.TestCase):
    command = (PROGRAMS / "trainer_c",)


class InCpp(ReferenceTrainer, unittest.TestCase):
    command = (PROGRAMS / "trainer_cpp",)


if __name__ == "__main__":
    unittest.main()
