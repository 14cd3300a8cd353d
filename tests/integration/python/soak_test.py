#!/usr/bin/env python3
"""A study that runs on and on, with trials that die, trainers that come and go, nonsense, and people who look: nothing
that it holds may grow by more than its log does.

BETATUNE_SOAK_MINUTES says for how long (a third of a minute; 120 with BETATUNE_LONG_TESTS). BETATUNE_SOAK_LOG names a
file for what was measured, a line per second.
"""

import dataclasses
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

support.need("zmq", "python3-zmq")
import zmq  # noqa: E402

LONG = bool(os.environ.get("BETATUNE_LONG_TESTS"))
SECONDS = 60 * float(os.environ.get("BETATUNE_SOAK_MINUTES", 120 if LONG else 1 / 3))
STEP_MS = 250 if SECONDS > 600 else 40
# What a trial may leave behind in the optimizer's memory: its configuration, its curve, its place in indexes. Models are
# left out: the default search keeps matrices that grow with the square of the trials, up to its limits.
WALL_TIME_OVER = 8  # the exit status
KIB_PER_TRIAL, KIB_ANYHOW = 6, 2 * 1024
STUDY = f"""\
parameters: {{x: {{type: float, min: -5, max: 10}}, y: {{type: float, min: 0, max: 15}}}}
fidelity: {{max: 9}}
algorithm: {{name: random, scheduler: asha}}
stopping: {{wall_time: {SECONDS:.0f}s}}
trials: {{retry: {{infra: 1000}}}}
launcher: {{trainers: 2}}
trainer: {{plugin: branin, config: {{steps: 9, delay_ms: {STEP_MS}}}}}
"""


@dataclasses.dataclass
class Sample:
    seconds: float
    process: str
    memory_kib: int
    descriptors: int
    threads: int
    log_kib: int
    trials: int


def status_of(pid: int) -> dict:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def workers_of(agent: int) -> list:
    """The processes of trials: what its fork server has forked."""
    return [worker for server in support.children(agent) for worker in support.children(server)]


class Strangers:
    """Peers that join, say nonsense, and leave or just vanish, each with a name of its own."""

    def __init__(self, endpoint: str):
        self.context, self.endpoint, self.count = zmq.Context.instance(), endpoint, 0

    def visit(self) -> None:
        self.count += 1
        with self.context.socket(zmq.DEALER) as socket:
            socket.linger = 100
            socket.connect(self.endpoint)
            hello = (f'{{"trainer":"stranger-{self.count}","session":"{self.count:032x}","slots":1,"held":[],"sdk":"soak",'
                     '"protocol_min":1,"protocol_max":1,"token":""}').encode()
            socket.send_multipart([b"BTP1", b"HELLO", hello])
            socket.send_multipart([b"BTP1", b"REPORT", b'{"trial":999999,"attempt":[[[[1'])
            socket.poll(200)
            if self.count % 2:
                socket.send_multipart([b"BTP1", b"BYE", b'{"reason":"done"}'])


class Soak(unittest.TestCase):
    def test_nothing_grows_but_the_log(self):
        with support.StudyProcess(STUDY) as study:
            self.watch(study)
            self.assertEqual(study.wait(), WALL_TIME_OVER, study.output.read_text())
            self.log.close()
            trials = self.samples[-1].trials
            self.assertGreater(trials, SECONDS * 1000 / STEP_MS / 9, "trials hardly ran")
            for process in sorted({each.process for each in self.samples}):
                self.judge([each for each in self.samples if each.process == process])

    def watch(self, study):
        study.launch()
        database = study.folder / "runs/demo/study.db"
        socket = study.folder / "runs/demo/socket/optimizer"
        support.eventually(lambda: database.exists() and socket.exists() and self.agents(study), "a study at work")
        strangers, dice = Strangers(f"ipc://{socket}"), random.Random(7)
        self.samples, begin, killed = [], time.monotonic(), 0
        self.log = open(os.environ.get("BETATUNE_SOAK_LOG", os.devnull), "w", buffering=1)
        agents = self.agents(study)
        second = 0
        while study.process.poll() is None:
            second += 1
            strangers.visit()
            if second % 3 == 0:
                workers = [each for agent in agents for each in workers_of(agent)]
                if workers:
                    support.tell(dice.choice(workers), signal.SIGKILL)
                    killed += 1
            if second % 5 == 0:
                subprocess.run([support.BETATUNE, "status", "runs/demo", "--json"], cwd=study.folder, check=True,
                               capture_output=True)
            self.measure(study, agents, time.monotonic() - begin)
            time.sleep(max(0.0, begin + second - time.monotonic()))
        print(f"{self.samples[-1].trials} trials, {strangers.count} visits, {killed} trials killed")

    @staticmethod
    def agents(study):
        return [pid for pid in support.children(study.process.pid) if "--connect" in support.command_line(pid)]

    def measure(self, study, agents, seconds):
        wal = study.folder / "runs/demo/study.db-wal"
        processes = [("optimizer", study.process.pid)] + [(f"trainer {n}", pid) for n, pid in enumerate(agents)]
        trials = len(study.events("trial_created")) if int(seconds) % 10 < 1 or not self.samples else (
            self.samples[-1].trials)
        for name, pid in processes:
            try:
                status = status_of(pid)
                descriptors = len(os.listdir(f"/proc/{pid}/fd"))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                return  # it has just ended
            if "VmRSS" not in status:
                return
            sample = Sample(round(seconds, 1), name, int(status["VmRSS"].split()[0]), descriptors,
                            int(status["Threads"]), wal.stat().st_size // 1024 if wal.exists() else 0, trials)
            self.samples.append(sample)
            print(*dataclasses.astuple(sample), sep="\t", file=self.log)

    def judge(self, samples):
        """The last quarter beside the second."""
        quarter = len(samples) // 4
        before, after = samples[quarter:2 * quarter], samples[-quarter:]
        name = samples[0].process
        self.assertGreater(quarter, 2, name)
        middle = lambda what, which: statistics.median(getattr(each, what) for each in which)  # noqa: E731
        most = lambda what, which: max(getattr(each, what) for each in which)  # noqa: E731
        grown = middle("memory_kib", after) - middle("memory_kib", before)
        trials = after[-1].trials - before[0].trials if name == "optimizer" else 0
        print(f"{name}: {middle('memory_kib', after) / 1024:.1f} MiB, {grown:+.0f} KiB in {trials} trials; "
              f"descriptors {middle('descriptors', after):.0f}, threads {middle('threads', after):.0f}, "
              f"write-ahead log at most {most('log_kib', samples)} KiB")
        self.assertLess(grown, KIB_ANYHOW + KIB_PER_TRIAL * trials, name)
        self.assertLessEqual(middle("descriptors", after), most("descriptors", before) + 2, name)
        self.assertLessEqual(middle("threads", after), most("threads", before), name)
        self.assertLess(most("log_kib", samples), 64 * 1024, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
