"""Betatune as any outside driver meets it: `betatune ask-tell`, one JSON object per line."""

import json
import os
import pathlib
import subprocess
import tempfile

from space import study_yaml

from . import Job


class Betatune:
    """With BETATUNE_RECOMMEND=recommend the incumbent is the model's; the default is what `best` answers."""

    def __init__(self, space, seed, min_step, max_step, budget_epochs, workers, **_):
        root = pathlib.Path(__file__).resolve().parents[4]
        program = str(pathlib.Path(os.environ.get("BETATUNE", root / "build/bin/betatune")).resolve())
        algorithm = os.environ.get("BETATUNE_ALGORITHM", "{name: auto}")
        self.question = os.environ.get("BETATUNE_RECOMMEND", "best")
        said = subprocess.run([program, "version"], capture_output=True, text=True, check=True)
        self.version = said.stdout.split()[1]
        self.folder = tempfile.TemporaryDirectory(prefix="betatune-bench-")
        study = pathlib.Path(self.folder.name) / "study.yaml"
        # The benchmark ends by epochs, which a study cannot: no more trials than epochs can ever begin.
        text = study_yaml(space, name="bench", seed=seed, trials=budget_epochs, parallel=workers, algorithm=algorithm)
        study.write_text(text + f"fidelity: {{name: epoch, min: {min_step}, max: {max_step}, resumable: true}}\n")
        self.process = subprocess.Popen([program, "ask-tell", "--memory", str(study)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1, cwd=self.folder.name)
        self.steps, self.ended = {}, set()

    def say(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "no answer"}
        if "error" in answer:
            raise RuntimeError(f"{message}: {answer['error']}")
        return answer

    def ask(self):
        asked = self.say({"ask": 1})["ask"]
        if not asked:
            return None
        trial = asked[0]["id"]
        self.ended.discard(trial)
        return Job(asked[0]["params"], asked[0]["until"], start=self.steps.get(trial, 0), key=trial)

    def report(self, job, step, loss):
        self.steps[job.key] = step
        if step == job.until:  # the tell says it
            return True
        decision = self.say({"report": {"id": job.key, "step": step, "loss": loss}})["decision"]
        if decision != "continue":
            self.ended.add(job.key)
        return decision == "continue"

    def done(self, job, loss):
        if job.key not in self.ended:
            self.say({"tell": {"id": job.key, "loss": loss}})

    def recommend(self):
        answer = self.say({self.question: 1})[self.question]
        return answer["params"] if answer else None

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()
