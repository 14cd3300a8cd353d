#!/usr/bin/env python3
"""The batch scripts of examples/slurm, where `srun` and `sbatch` are stand-ins: one starts its command once per node, as
srun does, and the other writes down what is submitted. What Slurm sends to a job is sent to every process of it."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

EXAMPLES = support.ROOT / "examples" / "slurm"
TRIALS, NODES = 30, 2
STUDY = f"""\
version: 1
study: {{name: slurm, seed: 1}}
objective: {{metric: loss}}
parameters: {{x: {{type: float, min: -5, max: 10}}, y: {{type: float, min: 0, max: 15}}}}
fidelity: {{max: 9}}
stopping: {{trials: {TRIALS}}}
server: {{keys: keys}}
trainer: {{plugin: branin, config: {{steps: 9, delay_ms: 30}}}}
"""
STAND_INS = {
    "srun": f'for node in $(seq {NODES}); do "$@" & done\nstatus=0\nfor each in $(jobs -p); do wait $each || status=$?; '
            "done\nexit $status\n",
    "sbatch": 'echo "$@" >> submitted\n',
    "scontrol": 'echo "   Command=/home/of/somebody/study.sbatch study.yaml cluster.key"\n',
}


class Slurm(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="betatune-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        (self.folder / "study.yaml").write_text(STUDY)
        (self.folder / "bin").mkdir()
        for name, text in STAND_INS.items():
            path = self.folder / "bin" / name
            path.write_text(f"#!/bin/bash\n{text}")
            path.chmod(0o755)
        environment = support.environment()
        self.environment = {**environment, "PATH": f"{self.folder}/bin:{environment['PATH']}"}
        subprocess.run([support.BETATUNE, "key", "new", "cluster", "--slots", "64", "--keys", "keys"], cwd=self.folder,
                       check=True, capture_output=True)

    def job(self, number, script, *arguments):
        with open(self.folder / f"job-{number}.txt", "w") as output:
            process = subprocess.Popen(["bash", EXAMPLES / script, *arguments], cwd=self.folder, stdout=output,
                                       stderr=subprocess.STDOUT,
                                       env={**self.environment, "SLURM_JOB_ID": str(os.getpid() * 10 + number)})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def said(self, number):
        return (self.folder / f"job-{number}.txt").read_text()

    def trials(self):
        database = self.folder / "runs/slurm/study.db"
        done = subprocess.run([support.BETATUNE, "trials", "slurm", "--json"], cwd=self.folder, capture_output=True,
                              text=True) if database.exists() else None
        return done.stdout.count('"completed"') if done else 0

    def test_a_study_in_jobs_of_its_own_goes_on_from_one_to_the_next(self):
        job = self.job(1, "study.sbatch", "study.yaml", "cluster.key")
        support.eventually(lambda: self.trials() >= 2, "trials that are over")
        # As `--signal=USR1` has it: to the steps, which are all processes below srun, and srun.
        steps = [each for each in support.below(job.pid) if "srun" in support.command_line(each)]
        self.assertTrue(steps)
        for pid in support.below(steps[0]):
            support.tell(pid, signal.SIGUSR1)
        self.assertEqual(job.wait(support.LONGEST_S), 0, self.said(1))
        submitted = (self.folder / "submitted").read_text()
        self.assertEqual(submitted.split(), ["/home/of/somebody/study.sbatch", "study.yaml", "cluster.key"])
        before = self.trials()
        self.assertLess(before, TRIALS)

        job = self.job(2, "study.sbatch", "study.yaml", "cluster.key")

        self.assertEqual(job.wait(support.LONGEST_S), 0, self.said(2))
        self.assertEqual((self.folder / "submitted").read_text(), submitted, "a study that is done is not submitted")
        check = subprocess.run([sys.executable, support.ROOT / "tests/support/check_log.py", "runs/slurm", "--trials",
                                str(TRIALS)], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(check.returncode, 0, check.stdout)
        # Nobody was killed: what ran was finished, and nothing was trained in vain.
        self.assertNotIn("failed", self.said(1))

    def test_trainers_come_and_go_as_jobs(self):
        port = 20000 + os.getpid() % 20000
        with open(self.folder / "optimizer.txt", "w") as output:
            optimizer = subprocess.Popen([support.BETATUNE, "run", "study.yaml", "--bind", f"tcp://*:{port}",
                                          "--trainers", "0"], cwd=self.folder, stdout=output, stderr=output)
        self.addCleanup(optimizer.wait)
        self.addCleanup(optimizer.kill)
        first = self.job(1, "trainers.sbatch", f"tcp://127.0.0.1:{port}", "cluster.key")
        support.eventually(lambda: self.trials() >= 2, "trials that are over")
        for pid in [first.pid, *support.below(first.pid)]:
            support.tell(pid, signal.SIGTERM)  # scancel, or the time limit
        first.wait(support.LONGEST_S)
        time.sleep(0.2)
        self.job(2, "trainers.sbatch", f"tcp://127.0.0.1:{port}", "cluster.key")

        self.assertEqual(optimizer.wait(support.LONGEST_S), 0, (self.folder / "optimizer.txt").read_text())
        self.assertNotIn("failed", (self.folder / "optimizer.txt").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
