#!/usr/bin/env python3
"""Two machines, as network namespaces, one of which is cut off while the optimizer is killed and started again."""

import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

STEPS, TRIALS = 10, 12
LONG = bool(os.environ.get("BETATUNE_LONG_TESTS"))
ROUNDS = int(os.environ.get("BETATUNE_PARTITIONS", 20 if LONG else 1))
# Once bound, the same port again: trainers look for the optimizer there.
STUDY = f"""\
parameters: {{x: {{type: float, min: 0, max: 1}}}}
fidelity: {{max: {STEPS}, resumable: false}}
algorithm: {{name: random, scheduler: fifo}}
stopping: {{trials: {TRIALS}}}
trainer: {{command: [sh, train.sh]}}
"""
EXTERNAL = "server: {lease: 60s, keys: keys}\n"
SCRIPT = f"""\
for step in $(seq {STEPS}); do
  sleep 0.1
  echo "{{\\"step\\": $step, \\"loss\\": $step}}"
done
"""


def ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True)


class Machine:
    """A network namespace with a cable to this one. The optimizer is at `self.optimizer` for it."""

    def __init__(self, number: int):
        self.name = f"bt{os.getpid() % 10000}-{number}"
        self.cable, self.plug = f"bto{os.getpid() % 10000}-{number}", f"btp{os.getpid() % 10000}-{number}"
        network = f"10.{200 + os.getpid() % 50}.{number}"
        self.optimizer = f"{network}.1"
        ip(f"netns add {self.name}")
        ip(f"link add {self.cable} type veth peer name {self.plug} netns {self.name}")
        ip(f"addr add {network}.1/24 dev {self.cable}")
        ip(f"link set {self.cable} up")
        ip(f"-n {self.name} addr add {network}.2/24 dev {self.plug}")
        ip(f"-n {self.name} link set {self.plug} up")

    def run(self, study, *command):
        return study.help(["ip", "netns", "exec", self.name, *command], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)

    def cut(self) -> None:
        ip(f"link set {self.cable} down")

    def heal(self) -> None:
        ip(f"link set {self.cable} up")

    def remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)
        subprocess.run(["ip", "link", "del", self.cable], capture_output=True)


def machines_or_why_not():
    made = []
    try:
        for number in (1, 2):
            made.append(Machine(number))
    except (OSError, subprocess.CalledProcessError) as error:
        for each in made:
            each.remove()
        return [], f"no network namespaces here: {getattr(error, 'stderr', error)!r}"
    return made, ""


class CutOffAndHealed(unittest.TestCase):
    def setUp(self):
        self.machines, why_not = machines_or_why_not()
        if not self.machines:
            self.skipTest(why_not)

    def tearDown(self):
        for each in self.machines:
            each.remove()

    def test_nothing_is_lost_or_trained_twice(self):
        for round in range(ROUNDS):
            with self.subTest(round=round):
                self.cut_one_off()

    def cut_one_off(self):
        with support.StudyProcess(STUDY + EXTERNAL) as study:
            (study.folder / "train.sh").write_text(SCRIPT)
            text = study.study.read_text().replace("trainer: {command", "launcher: {trainers: 1}\ntrainer: {command")
            study.study.write_text(text)
            for name in ("one", "two"):
                subprocess.run([support.BETATUNE, "key", "new", name, "--keys", "keys"], cwd=study.folder, check=True,
                               capture_output=True)
            port = 20000 + os.getpid() % 20000
            bind = ("--bind", f"tcp://*:{port}", "--trainers", "1")
            self.start(study, bind)
            trainers = [machine.run(study, support.BUILD / "bin/betatune-trainer", "--connect",
                                    f"tcp://{machine.optimizer}:{port}", "--key", f"{key}.key")
                        for machine, key in zip(self.machines, ("one", "two"))]
            support.eventually(lambda: self.trainers_of(study) >= {"one", "two"}, "both machines at work")

            self.machines[1].cut()
            time.sleep(0.5)
            study.kill()
            self.start(study, bind)
            before = len(study.events("reported"))
            support.eventually(lambda: len(study.events("reported")) > before + STEPS, "work without the one cut off")
            self.machines[1].heal()

            self.assertEqual(study.wait(), 0, study.output.read_text())
            study.check_log(TRIALS)
            ended = study.events("trial_closed")
            self.assertEqual(len(ended), TRIALS)
            # The machine that was cut off went on: what it had reported was not made again. Only the optimizer's own
            # trainer died with it.
            where = {(each["trial"], each["attempt"]): each["trainer"] for each in study.events("attempt_started")}
            for each in study.events("attempt_ended"):
                if each["end"] == "lost":
                    self.assertTrue(where[each["trial"], each["attempt"]].startswith("local-"), each)
            self.assertTrue(any(each.startswith("two/") for each in where.values()))
            for each in trainers:
                _, complaints = each.communicate(timeout=support.LONGEST_S)
                self.assertEqual(each.returncode, 0, complaints)

    def start(self, study, bind):
        """Like StudyProcess.start(), for a study that launches a trainer of its own and prints no address."""
        study.runs += 1
        study.output = study.folder / f"output-{study.runs}.txt"
        with open(study.output, "w") as output:
            study.process = subprocess.Popen([support.BETATUNE, "run", *bind, "study.yaml"], cwd=study.folder,
                                             stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    @staticmethod
    def trainers_of(study):
        try:
            return {each["trainer"].split("/")[0] for each in study.events("attempt_started")}
        except Exception:  # the database is not there yet
            return set()


if __name__ == "__main__":
    unittest.main(verbosity=2)
