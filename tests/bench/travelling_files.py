#!/usr/bin/env python3
"""How long a checkpoint takes from its worker to the study's log, and a promoted trial to its first report: with the
study's folder shared, and over the connection (loopback, tcp).

    travelling_files.py BIN_FOLDER [MIB ...]

The same study runs both ways, beside the plain work of it on this machine: digest, copy with fsync, digest.
"""

import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

TRIALS = 4
STUDY = f"""\
version: 1
study: {{name: demo, seed: 1}}
objective: {{metric: loss}}
parameters: {{x: {{type: float, min: 0, max: 1}}}}
fidelity: {{max: 3}}
algorithm: {{name: random, scheduler: {{name: asha, eta: 3}}}}
stopping: {{trials: {TRIALS}}}
storage: {{checkpoints: {{best: 100}}}}
launcher: {{trainers: 0}}
trainer: {{command: [python3, train.py]}}
"""
TRAIN = """\
import json, os, shutil
mib = int(os.environ["MIB"])
print(json.dumps({"step": int(os.environ["BETATUNE_FROM"]) + 1, "loss": float(os.environ["BETATUNE_PARAM_X"])}), flush=True)
with open(os.environ["BETATUNE_CHECKPOINT_DIR"] + "/model", "wb") as file:
    for _ in range(mib):
        file.write(os.urandom(1 << 20))
print(json.dumps({"step": int(os.environ["BETATUNE_UNTIL"]), "loss": float(os.environ["BETATUNE_PARAM_X"])}), flush=True)
"""


def run(binaries: pathlib.Path, mib: int, *own_folder) -> tuple:
    """Median seconds from the last report of an attempt to its checkpoint's event, and from a resumed attempt's start
    to its first report."""
    with tempfile.TemporaryDirectory(prefix="betatune-bench-") as scratch:
        folder = pathlib.Path(scratch)
        (folder / "study.yaml").write_text(STUDY)
        (folder / "train.py").write_text(TRAIN)
        port = 20000 + os.getpid() % 20000
        address = f"tcp://127.0.0.1:{port}"
        optimizer = subprocess.Popen([binaries / "betatune", "run", "study.yaml", "--bind", address, "--quiet"], cwd=folder,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        token = folder / "runs/demo/token"
        while not token.exists():
            time.sleep(0.05)
        own = [each.format(folder=folder) for each in own_folder]
        trainer = subprocess.Popen([binaries / "betatune-trainer", "--connect", address, "--token-file", token, *own],
                                   cwd=folder, env={**os.environ, "MIB": str(mib)}, stderr=subprocess.DEVNULL)
        if optimizer.wait() != 0 or trainer.wait() != 0:
            sys.exit("the study has failed")
        with sqlite3.connect(folder / "runs/demo/study.db") as database:
            events = [(at / 1e6, kind, json.loads(body))
                      for at, kind, body in database.execute("SELECT at_us, type, body FROM events ORDER BY seq")]
    saved, resumed, last, started = [], [], {}, {}
    for at, kind, body in events:
        key = (body.get("trial"), body.get("attempt"))
        if kind == "attempt_started":
            started[key] = at, body.get("from", 0)
        elif kind == "reported" and "loss" in body:
            if key in started and started[key][1] > 0 and key not in last:
                resumed.append(at - started[key][0])
            last[key] = at
        elif kind == "checkpoint_saved" and key in last:
            saved.append(at - last[key])
    return statistics.median(saved), statistics.median(resumed) if resumed else float("nan")


def plain_work(mib: int) -> float:
    """Digest, copy, fsync, digest."""
    with tempfile.TemporaryDirectory(prefix="betatune-bench-") as scratch:
        source, target = pathlib.Path(scratch, "a"), pathlib.Path(scratch, "b")
        source.write_bytes(os.urandom(mib << 20))
        began = time.monotonic()
        for each in (source, target):
            if each == target:
                shutil.copyfile(source, target)
                with open(target) as file:
                    os.fsync(file.fileno())
            digest = hashlib.blake2b(digest_size=32)
            with open(each, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return time.monotonic() - began


def main():
    binaries = pathlib.Path(sys.argv[1]).resolve()
    print("MiB   plain work   saved: shared  travelling   MB/s   resumed: shared  travelling")
    for mib in [int(each) for each in sys.argv[2:]] or [1, 64, 512]:
        shared = run(binaries, mib)
        travelling = run(binaries, mib, "--own-folder", "{folder}/own")
        rate = mib * 1.048576 / travelling[0]
        print(f"{mib:4d}   {plain_work(mib):8.2f} s   {shared[0]:10.2f} s {travelling[0]:9.2f} s {rate:6.0f}"
              f"   {shared[1]:12.2f} s {travelling[1]:9.2f} s", flush=True)


if __name__ == "__main__":
    main()
