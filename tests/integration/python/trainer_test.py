#!/usr/bin/env python3
"""betatune.Trainer against a real optimizer: whole studies, kills, failures, limits, signals."""

import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

support.need("zmq", "python3-zmq")
import betatune  # noqa: E402
import zmq  # noqa: E402
from betatune import _wire  # noqa: E402
from betatune._trainer import _Running  # noqa: E402

STUDY = """\
parameters: {x: {type: int, min: 0, max: 1000}}
fidelity: {max: 9}
trainer: {external: true}
"""
# Trains by counting; its state is the number of steps that it has trained, over all its attempts.
SCRIPT = """\
import sys, time
import betatune

def train(t):
    trained = int((t.resume_dir / "trained").read_text()) if t.resume_dir else 0
    for step in t.steps:
        time.sleep(DELAY)
        trained += 1
        if t.checkpoint_due or step == t.until:
            with t.checkpoint(step) as folder:
                (folder / "trained").write_text(str(trained))
        t.report(step, loss=t.params["x"] + 1 / step, trained=trained)
        if t.should_stop:
            if t.decision is betatune.Decision.PAUSE:
                with t.checkpoint(step) as folder:
                    (folder / "trained").write_text(str(trained))
            return

betatune.Trainer(sys.argv[1], OPTIONS).run(train)
"""


class TrainerTest(unittest.TestCase):
    def study(self, more):
        study = support.StudyProcess(STUDY + more)
        self.addCleanup(study.__exit__)
        return study

    def start(self, study, script, address):
        (study.folder / "train.py").write_text(script)
        return study.help([sys.executable, "train.py", address], env=support.environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)

    def finish(self, study, trainer, trials, status=0):
        out, complaints = trainer.communicate(timeout=support.LONGEST_S)
        self.assertEqual((trainer.returncode, study.wait()), (0, status), complaints)
        study.check_log(trials)
        return out

    def script(self, options="slots=2", delay=0.0):
        return SCRIPT.replace("OPTIONS", options).replace("DELAY", str(delay))

    def test_runs_exactly_the_trials_and_goes_on_from_checkpoints(self):
        # With a folder of its own for its files, checkpoints travel.
        for options in ("isolation='process'", "isolation='thread'", "own_folder='own'"):
            with self.subTest(options):
                study = self.study("algorithm: {name: random, scheduler: asha}\nstopping: {trials: 30}\n")
                trainer = self.start(study, self.script(f"slots=2, {options}"), study.start())

                self.finish(study, trainer, 30)

                resumed = [each for each in study.events("attempt_started") if each["from"] > 0]
                self.assertGreater(len(resumed), 5)
                if "own" in options:
                    self.assertEqual(list((study.folder / "own").iterdir()), [])
                # Each step of a trial was trained once, over all its attempts.
                for each in study.events("reported"):
                    if "trained" in each["metrics"]:
                        self.assertEqual(each["metrics"]["trained"], each["step"])

    def test_goes_on_when_the_optimizer_is_killed_and_restarted(self):
        for options in ("slots=2", "slots=2, own_folder='own'"):
            with self.subTest(options):
                self.goes_on_when_the_optimizer_is_killed(options)

    def goes_on_when_the_optimizer_is_killed(self, options):
        study = self.study("algorithm: {name: random, scheduler: fifo}\nstopping: {trials: 10}\n")
        trainer = self.start(study, self.script(options, delay=0.05), study.start())
        for _ in range(3):
            before = len(study.events("reported"))
            support.eventually(lambda: len(study.events("reported")) > before + 8, "reports")
            study.kill()
            study.start()

        self.finish(study, trainer, 10)

        # One that was recorded, but killed on its way to the trainer, has never run.
        ran = {(each["trial"], each["attempt"]) for each in study.events("reported")}
        ends = {each["end"] for each in study.events("attempt_ended") if (each["trial"], each["attempt"]) in ran}
        self.assertEqual(ends, {"reached"})
        self.assertEqual(len(ran), 10)
        self.assertEqual(len([each for each in study.events("reported") if "loss" in each]), 90)

    def test_a_training_that_goes_wrong_fails_alone_with_its_class(self):
        script = """\
import os, sys, time
import betatune

def train(t):
    def crash(): os.abort()
    def leave(): sys.exit(0)
    def die(): os.kill(os.getpid(), 9)
    def fill(): raise MemoryError("no room")
    def name(): raise betatune.TrialFailed("timeout", "the cluster said so")
    def forget(): return None
    def diverge(): t.report(1, loss=float("nan")); time.sleep(0.5)
    def hang(): time.sleep(60)
    def give_up(): raise betatune.TrialStopped()
    def finish(): return 0.5
    ways = [crash, leave, die, fill, name, forget, diverge, hang, give_up, finish]
    return ways[t.id]()

betatune.Trainer(sys.argv[1], slots=2, grace_s=0.2).run(train)
"""
        study = self.study("algorithm: {name: random, scheduler: fifo}\nstopping: {trials: 10}\n"
                           "trials: {retry: {infra: 0, timeout: 0}, limits: {wall_time: 1500ms}}\n")
        trainer = self.start(study, script, study.start())

        self.finish(study, trainer, 10)

        ends = {each["trial"]: each.get("failure") or each["end"] for each in study.events("attempt_ended")}
        self.assertEqual([ends[i] for i in range(10)],
                         ["user", "user", "infra", "oom", "timeout", "user", "diverged", "timeout", "user", "reached"])
        messages = {each["trial"]: each.get("message", "") for each in study.events("attempt_ended")}
        self.assertIn("SIGABRT", messages[0])
        self.assertIn("no room", messages[3])
        self.assertIn("without reporting `loss`", messages[5])

    def test_stops_what_the_scheduler_stops(self):
        study = self.study("algorithm: {name: random, scheduler: {name: asha, mode: stop}}\nstopping: {trials: 20}\n")
        trainer = self.start(study, self.script(delay=0.03), study.start())

        self.finish(study, trainer, 20)

        ends = [each["end"] for each in study.events("attempt_ended")]
        # A decision may come when the last step is done already.
        self.assertLessEqual(ends.count("stopped"), len(study.events("decided")))
        self.assertGreater(ends.count("stopped"), 0)

    def test_saves_what_runs_when_it_is_interrupted(self):
        study = self.study("algorithm: {name: random, scheduler: fifo}\nstopping: {trials: 4}\n")
        address = study.start()
        first = self.start(study, self.script(delay=0.1), address)
        support.eventually(lambda: len(study.events("reported")) > 4, "reports")

        first.send_signal(signal.SIGTERM)
        _, complaints = first.communicate(timeout=support.LONGEST_S)
        self.assertIn("betatune._errors.Interrupted: asked to end (SIGTERM)", complaints)

        self.finish(study, self.start(study, self.script(), address), 4)
        saved = [each for each in study.events("attempt_started") if each["from"] > 0]
        self.assertEqual(len(saved), 2)

    def test_trials_die_with_a_trainer_that_is_killed(self):
        study = self.study("algorithm: {name: random, scheduler: fifo}\nstopping: {trials: 3}\nserver: {lease: 2s}\n")
        address = study.start()
        script = self.script(delay=0.1).replace("import sys, time", "import os, sys, time")
        script = script.replace("def train(t):", "def train(t):\n    open(f'pid-{os.getpid()}', 'w').close()")
        first = self.start(study, script, address)
        support.eventually(lambda: len(study.events("reported")) > 2, "reports")
        pids = [each.name[len("pid-"):] for each in study.folder.glob("pid-*")]
        self.assertEqual(len(pids), 2)

        first.kill()
        first.communicate()
        for pid in pids:
            support.eventually(lambda: not pathlib.Path(f"/proc/{pid}").exists(), f"end of {pid}")

        self.finish(study, self.start(study, self.script(), address), 3)
        self.assertIn("lost", {each["end"] for each in study.events("attempt_ended")})

    def test_says_why_it_is_refused(self):
        study = self.study("stopping: {trials: 1}\nserver: {bind: 'tcp://127.0.0.1:*'}\n")
        address = study.start()
        with self.assertRaises(betatune.Refused) as caught:
            betatune.Trainer(address).run(lambda t: 0.0)
        self.assertEqual(caught.exception.code, "bad_token")

        betatune.Trainer(address, token_file=study.folder / "runs/demo/token").run(lambda t: 0.0)

        self.assertEqual(study.wait(), 0)
        study.check_log(1)

    def test_gives_up_where_no_optimizer_answers(self):
        study = self.study("stopping: {trials: 1}\n")
        with self.assertRaises(betatune.NoOptimizer):
            betatune.Trainer(f"ipc://{study.folder}/nobody", patience_s=0.3).run(lambda t: 0.0)

    def test_hears_goodbye_although_the_connection_ends_with_it(self):
        (pathlib.Path(support.shims()) / "idle.py").write_text(
            "import sys, betatune\nbetatune.Trainer(sys.argv[1]).run(lambda t: 0.5)\n")
        idle_trainers = {
            "betatune.Trainer": [sys.executable, pathlib.Path(support.shims()) / "idle.py"],
            "betatune-trainer": [support.BETATUNE.with_name("betatune-trainer"), "--connect"],
        }
        busy = ("import os, sys, time, betatune\ndef train(t):\n"
                "    while not os.path.exists('go'): time.sleep(0.02)\n"
                "    return 1.0\nbetatune.Trainer(sys.argv[1]).run(train)\n")
        for name, command in idle_trainers.items():
            with self.subTest(name):
                study = self.study("algorithm: {name: random, scheduler: fifo}\nstopping: {trials: 2}\n")
                address = study.start()
                worker = self.start(study, busy, address)
                support.eventually(lambda: study.events("attempt_started"), "a trial")
                idle = study.help([*command, address], env=support.environment(), stderr=subprocess.DEVNULL)
                # Its own trial is over; the other one is the worker's.
                support.eventually(lambda: study.events("trial_closed"), "the end of the other trial")
                idle.send_signal(signal.SIGSTOP)
                (study.folder / "go").touch()
                self.finish(study, worker, 2)

                idle.send_signal(signal.SIGCONT)

                self.assertEqual(idle.wait(support.LONGEST_S), 0)

    def test_hears_goodbye_when_it_looks_after_the_connection_has_ended(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        address = f"ipc://{scratch.name}/optimizer"
        context = zmq.Context()
        router = context.socket(zmq.ROUTER)
        router.bind(address)
        gone = threading.Event()

        def say_goodbye():
            peer = router.recv_multipart()[0]  # HELLO
            welcome = {"protocol": 1, "study": "s", "epoch": 1, "beat_ms": 5000, "lease_ms": 30000}
            router.send_multipart([peer, *_wire.encode("WELCOME", welcome)])
            router.recv_multipart()  # READY
            router.send_multipart([peer, *_wire.encode("BYE", {"reason": "over"})])
            router.close(linger=5000)
            context.term()
            gone.set()

        turn = _Running._turn

        def late_turn(running):
            if running._agent.session == "welcome":
                gone.wait(support.LONGEST_S)
                running._monitor.poll(support.LONGEST_S * 1000)
            turn(running)

        threading.Thread(target=say_goodbye, daemon=True).start()
        with mock.patch.object(_Running, "_turn", late_turn):
            betatune.Trainer(address, patience_s=3).run(lambda t: 0.0)  # or it would raise NoOptimizer

    def test_a_decorated_function_is_a_program(self):
        # With a configuration that is larger than a socket's buffer.
        study = self.study("algorithm: {name: random, scheduler: fifo}\nstopping: {trials: 3}\n")
        study.study.write_text(study.study.read_text().replace(
            "external: true", "external: true, config: {text: " + "x" * 300_000 + "}"))
        script = ("import sys, betatune\nprint('once')\n@betatune.trainer(sys.argv[1], slots=3)\ndef train(t):\n"
                  "    print('per trial')\n    return {'loss': t.params['x'], 'more': len(t.config['text'])}\n"
                  "train()\n")
        trainer = self.start(study, script, study.start())

        said = self.finish(study, trainer, 3)

        self.assertEqual([each["step"] for each in study.events("reported")], [9, 9, 9])
        self.assertEqual({each["metrics"]["more"] for each in study.events("reported")}, {300_000})
        # Trials print at the same time: their line ends may come late.
        self.assertEqual((said.count("once"), said.count("per trial")), (1, 3), said)


if __name__ == "__main__":
    unittest.main()
