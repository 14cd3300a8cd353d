#!/usr/bin/env python3
"""Secrets are planted wherever a study meets them, and looked for wherever they must not be: in what is written, in
what commands say, in arguments and environments. With a umask of 0, which leaves nothing to the user's settings."""

import json
import os
import pathlib
import secrets
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402

TRIALS = 12
STUDY = f"""\
parameters: {{x: {{type: float, min: 0, max: 1}}}}
fidelity: {{max: 3}}
algorithm: {{name: random, scheduler: fifo}}
stopping: {{trials: {TRIALS}}}
trials: {{retry: {{user: 1}}}}
trainer: {{command: [sh, train.sh]}}
"""
# One attempt in some fails, so that messages of failures are among what is written.
SCRIPT = """\
echo a log line
for step in 1 2 3; do sleep 0.05; echo "{\\"step\\": $step, \\"loss\\": 0.$step}"; done
echo state >"$BETATUNE_CHECKPOINT_DIR/state"
if [ "$BETATUNE_TRIAL$BETATUNE_ATTEMPT" = 31 ]; then echo went wrong >&2; exit 3; fi
"""
# In the environment of everything: it must not be repeated either.
ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "DATABASE_URL", "SSH_ASKPASS_TEXT", "MY_PASSWORD", "WANDB_API_KEY")
# Where a secret belongs; each of mode 0600.
HOMES = {"server.json", "token", "local.key"}
Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def forms(secret: str) -> list:
    """A secret as text, and of a key also its 32 bytes, plain and in hex."""
    found = [secret.encode()]
    if len(secret) == 40:
        raw = b""
        for at in range(0, 40, 5):
            number = 0
            for letter in secret[at:at + 5]:
                number = number * 85 + Z85.index(letter)
            raw += number.to_bytes(4, "big")
        found += [raw, raw.hex().encode(), json.dumps(secret)[1:-1].encode()]
    return found


class ProcessWatch:
    """Arguments and environments, as `ps` shows them, of all processes that have `mark` in their environment."""

    def __init__(self, mark: str):
        self.mark = mark.encode()
        self.arguments, self.environments, self.over = set(), set(), threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.over.wait(0.01):
            for folder in pathlib.Path("/proc").glob("[0-9]*"):
                try:
                    environment = (folder / "environ").read_bytes()
                    if self.mark in environment:
                        self.environments.add(environment)
                        self.arguments.add((folder / "cmdline").read_bytes())
                except OSError:  # it has ended, or is somebody else's
                    continue

    def end(self):
        self.over.set()
        self.thread.join()


class PlantedSecrets(unittest.TestCase):
    def setUp(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.planted, self.said = {}, {}
        self.canaries = {name: f"canary-{secrets.token_hex(12)}" for name in ENVIRONMENT}

    def say(self, study, *command, status=0):
        done = subprocess.run([support.BETATUNE, *command], cwd=study.folder, capture_output=True,
                              env={**os.environ, "HOME": str(study.folder), **self.canaries})
        self.assertEqual(done.returncode, status, done.stderr)
        self.said[" ".join(map(str, command))] = done.stdout + done.stderr

    def plant_keys(self, study):
        for number in range(6):
            self.say(study, "key", "new", f"site-{number}", "--keys", "keys", "--user", "somebody")
            self.plant(study, f"site-{number}.key")
        for number in range(3):
            self.say(study, "key", "rotate", f"site-{number}", "--keys", "keys", "-o", f"again-{number}.key")
            self.plant(study, f"again-{number}.key")
        self.say(study, "key", "revoke", "site-5", "--keys", "keys")
        self.plant(study, "keys/server.json")

    def plant(self, study, file):
        self.planted[file] = json.loads((study.folder / file).read_text())["secret"]

    def ask_everything(self, study):
        for command in ("status", "trials", "best", "importance"):
            self.say(study, command, "runs/demo", "--json")
        self.say(study, "status", "runs/demo")
        self.say(study, "show", "runs/demo", "3")
        self.say(study, "explain", "runs/demo", "3")
        self.say(study, "export", "csv", "runs/demo")
        self.say(study, "export", "jsonl", "runs/demo")
        self.say(study, "logs", "runs/demo", "3")
        self.say(study, "key", "list", "--keys", "keys")
        self.say(study, "key", "list", "--keys", "keys", "--json")

    def test_are_nowhere_else_with_keys(self):
        with support.StudyProcess("server: {keys: keys}\n" + STUDY) as study:
            (study.folder / "train.sh").write_text(SCRIPT)
            self.plant_keys(study)
            watch = ProcessWatch(self.canaries["HF_TOKEN"])
            self.addCleanup(watch.end)
            port = 20000 + os.getpid() % 20000
            address = f"tcp://127.0.0.2:{port}"
            study.launch("--bind", address, "--trainers", "1", BETATUNE_LOG="trace", **self.canaries)
            trainer = [support.BUILD / "bin/betatune-trainer", "--connect", address, "--key"]
            with open(study.folder / "trainers.log", "w") as log:
                for key in ("again-0.key", "site-3.key", "site-5.key"):  # the last one is let in no more
                    study.help([*trainer, key], stdout=log, stderr=log,
                               env={**os.environ, **self.canaries, "BETATUNE_LOG": "trace"})
            support.eventually((study.folder / "runs/demo/local.key").exists, "the key of the optimizer's own trainer")
            self.plant(study, "runs/demo/local.key")
            support.eventually((study.folder / "runs/demo/trainers.json").exists, "a study that runs")
            self.say(study, "status", "runs/demo")

            self.assertEqual(study.wait(), 0, study.output.read_text())
            self.ask_everything(study)
            watch.end()
            self.planted.update(self.canaries)
            self.assertGreaterEqual(len(self.planted), 17)
            self.look_for_them(study, watch)

    def test_are_nowhere_else_with_a_token(self):
        with support.StudyProcess("server: {bind: 'tcp://127.0.0.1:*'}\n" + STUDY) as study:
            (study.folder / "train.sh").write_text(SCRIPT)
            watch = ProcessWatch(self.canaries["HF_TOKEN"])
            self.addCleanup(watch.end)
            study.launch("--trainers", "1", BETATUNE_LOG="trace", **self.canaries)
            token = study.folder / "runs/demo/token"
            support.eventually(lambda: token.exists() and token.read_text().strip(), "a token")
            self.planted["token"] = token.read_text().strip()

            self.assertEqual(study.wait(), 0, study.output.read_text())
            self.say(study, "status", "runs/demo", "--json")
            self.say(study, "export", "jsonl", "runs/demo")
            watch.end()
            self.planted.update(self.canaries)
            self.look_for_them(study, watch)

    def look_for_them(self, study, watch):
        found = []
        for name, secret in self.planted.items():
            for form in forms(secret):
                found += [f"{name} in what `{command}` says" for command, said in self.said.items() if form in said]
                found += [f"{name} in an argument" for each in watch.arguments if form in each]
                # What the user has put into the environment is there.
                if name not in self.canaries:
                    found += [f"{name} in an environment" for each in watch.environments if form in each]
        self.assertGreater(len(watch.arguments), 5)
        looked_at = 0
        for file in study.folder.rglob("*"):
            if file.is_dir():
                continue
            if file.suffix == ".key" or file.name in HOMES:
                self.assertEqual(file.stat().st_mode & 0o777, 0o600, file)
                continue
            looked_at += 1
            content = file.read_bytes()
            found += [f"{name} in {file}" for name, secret in self.planted.items()
                      if any(form in content for form in forms(secret))]
        self.assertGreater(looked_at, 20)
        self.assertEqual(found, [])
        for folder in (study.folder / "keys", study.folder / "keys/allowed", study.folder / "runs/demo/socket"):
            if folder.exists():
                self.assertEqual(folder.stat().st_mode & 0o777, 0o700, folder)

    def test_the_search_finds_what_is_there(self):
        key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
        raw = bytes.fromhex("54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652")

        self.assertIn(raw, forms(key))  # the server's key in zmq_curve(7)
        self.assertEqual(forms("plain"), [b"plain"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
