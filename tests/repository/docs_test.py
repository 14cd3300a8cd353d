#!/usr/bin/env python3
"""Executes the code blocks of the README and the guides, so that what they show is true.

    docs_test.py BUILD_DIR PAGE.md

The blocks of a page run one after another in one scratch folder that looks like a checkout:
  ```sh                        run with `bash -euo pipefail`; must succeed
  <!-- file: NAME --> + block  written to NAME
  ```yaml with `version: 1`    must pass `betatune check`
  <!-- not run: REASON -->     before a block: shown only (installing packages, other machines)
`./dev run` is answered by the programs of BUILD_DIR, with ready studies cut down to seconds.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\s*$")
NOTE = re.compile(r"^<!--\s*(file|not run):\s*(.+?)\s*-->$")
BLOCK_TIMEOUT_S = 240

SHIM = """#!/usr/bin/env bash
# Stands in for ./dev: the build is there already.
set -euo pipefail
case $1 in
  run) shift; exec betatune run "$@" ;;
  setup | build | format | lint | --help) ;;
  test | bench) ;;
  *) echo "the stand-in for ./dev knows no $1" >&2; exit 2 ;;
esac
"""


def blocks_of(page: pathlib.Path):
    """Yields (line, language, note kind, note text, body)."""
    note, language, body, start = ("", ""), None, [], 0
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if language is None:
            if match := NOTE.match(line.strip()):
                note = match.group(1), match.group(2)
            elif match := FENCE.match(line):
                language, body, start = match.group(1), [], number
            elif line.strip():
                note = ("", "")
        elif line.startswith("```"):
            yield start, language, note[0], note[1], "\n".join(body) + "\n"
            note, language = ("", ""), None
        else:
            body.append(line)
    if language is not None:
        raise SystemExit(f"{page}:{start}: the block is never closed")


def scratch_checkout(build: pathlib.Path, scratch: pathlib.Path) -> dict:
    for folder in ("configs", "searchspaces", "examples", "trainers"):
        shutil.copytree(ROOT / folder, scratch / folder)
    (scratch / "build").symlink_to(build)
    (scratch / "dev").write_text(SHIM)
    (scratch / "dev").chmod(0o755)
    for study in (scratch / "configs").glob("*.yaml"):
        text = study.read_text()
        text = re.sub(r"(\btrials:\s*)\d{2,}", r"\g<1>3", text)
        text = re.sub(r"(\btrain_samples:\s*)\d+", r"\g<1>1000", text)
        text = re.sub(r"(\bvalidation_samples:\s*)\d+", r"\g<1>500", text)
        study.write_text(text)
    environment = dict(os.environ)
    environment["PATH"] = f"{build / 'bin'}:{environment['PATH']}"
    environment["HOME"] = str(scratch)
    return environment


def run_block(where: str, body: str, scratch: pathlib.Path, environment: dict) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", body], cwd=scratch, env=environment, timeout=BLOCK_TIMEOUT_S,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"{where}: exit status {done.returncode}\n{body}\n--- output\n{done.stdout}")
    print(f"{where}: ran")


def main() -> int:
    build, page = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    executed = 0
    with tempfile.TemporaryDirectory(prefix="betatune-docs-") as folder:
        scratch = pathlib.Path(folder)
        environment = scratch_checkout(build, scratch)
        for line, language, kind, text, body in blocks_of(page):
            where = f"{page.name}:{line}"
            if kind == "not run":
                print(f"{where}: not run ({text})")
            elif kind == "file":
                target = scratch / text
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(body)
                target.chmod(0o755)
            elif language == "sh":
                run_block(where, body, scratch, environment)
                executed += 1
            elif language == "yaml" and "version: 1" in body:
                study = scratch / f"block-{line}.yaml"
                study.write_text(body)
                run_block(where, f"betatune check {study.name}", scratch, environment)
                executed += 1
    print(f"{executed} blocks of {page.name} ran")
    return 0


if __name__ == "__main__":
    sys.exit(main())
