"""Betatune as any outside driver meets it: `betatune ask-tell`, one JSON object per line."""

import json
import os
import pathlib
import subprocess
import tempfile

from space import study_yaml


class Betatune:
    def __init__(self, space, seed, budget, parallel, **_):
        root = pathlib.Path(__file__).resolve().parents[4]
        program = os.environ.get("BETATUNE", str(root / "build/bin/betatune"))
        algorithm = os.environ.get("BETATUNE_ALGORITHM", "{name: auto}")
        self.version = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout.split()[1]
        self.folder = tempfile.TemporaryDirectory(prefix="betatune-bench-")
        study = pathlib.Path(self.folder.name) / "study.yaml"
        study.write_text(study_yaml(space, name="bench", seed=seed, trials=budget, parallel=parallel,
                                    algorithm=algorithm))
        self.process = subprocess.Popen([program, "ask-tell", "--memory", str(study)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1, cwd=self.folder.name)
        self.ids = []

    def say(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"{message}: {answer['error']}")
        return answer

    def ask(self):
        asked = self.say({"ask": 1})["ask"]
        if not asked:
            return None
        self.ids.append((asked[0]["id"], asked[0]["params"]))
        return asked[0]["params"]

    def tell(self, params, loss):
        where = next(i for i, (_, asked) in enumerate(self.ids) if asked is params)
        self.say({"tell": {"id": self.ids.pop(where)[0], "loss": loss}})

    def recommend(self):
        return self.say({"recommend": 1})["recommend"]["params"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()
