#!/usr/bin/env python3
"""Builds a plug-in outside the tree against an installed Betatune, and tunes with it.

    out_of_tree_test.py BUILD_DIR
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

STUDY = """version: 1
study: {name: outside, seed: 1}
objective: {metric: loss}
parameters:
  x: {type: float, min: -5, max: 5}
stopping: {trials: 8}
trainer: {plugin: ./build/PLUGIN}
launcher: {name: local, trainers: 1}
"""


def run(*words, cwd, **more):
    done = subprocess.run([str(w) for w in words], cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=240, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="betatune-outside-") as folder:
        work = pathlib.Path(folder)
        prefix = work / "prefix"
        run("cmake", "--install", build, "--prefix", prefix, cwd=work)
        shutil.copytree(ROOT / "examples/plugin-out-of-tree", work / "mine")
        mine = work / "mine"
        run("cmake", "-G", "Ninja", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=mine)
        run("cmake", "--build", "build", cwd=mine)
        (plugin,) = (mine / "build").glob("*.so")
        environment = {**os.environ, "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}"}
        print(run("betatune-trainer", "plugin", "check", plugin, cwd=mine, env=environment))
        (mine / "study.yaml").write_text(STUDY.replace("PLUGIN", plugin.name))
        run("betatune", "run", "study.yaml", cwd=mine, env=environment)
        status = json.loads(run("betatune", "trials", "study.yaml", "--json", cwd=mine, env=environment))
        losses = [trial["loss"] for trial in status["trials"]]
        assert len(losses) == 8 and all(loss is not None for loss in losses), losses
        print(f"8 trials, best loss {min(losses)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
