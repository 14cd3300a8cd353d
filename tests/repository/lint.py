#!/usr/bin/env python3
"""Runs clang-tidy over the files given, those only that it has not passed before as they are now.

usage: lint.py BUILD FILE ...

What a file includes is known from the build. A file is looked at again if its text, that of a header of this
repository that it includes, or .clang-tidy has changed. Ends with status 1 if there was any finding.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What clang-tidy says besides its findings.
NOISE = re.compile(r"^(\d+ warnings? generated\.|Suppressed .*|Use -header-filter.*|\d+ warnings? treated as errors?)$")


def included(build: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Source file -> it and the headers of this repository that it includes, as the compiler said."""
    said = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True)
    found = {}
    for block in said.stdout.split("\n\n"):
        paths = [(build / line.strip()).resolve() for line in block.splitlines()[1:]]
        own = [path for path in paths if path.is_relative_to(ROOT) and not path.is_relative_to(build)]
        if own:
            found[str(own[0].relative_to(ROOT))] = own
    return found


def fingerprint(paths: list[pathlib.Path]) -> str:
    digest = hashlib.sha256()
    for path in [ROOT / ".clang-tidy", *sorted(paths)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


# Options of the compiler that clang-tidy does not know, and its precompiled headers.
UNKNOWN = re.compile(r" -Winvalid-pch| -fpch-preprocess| -include \S+/cmake_pch\.hxx| -Wno-restrict| -Wno-stringop-overflow")


def plain_commands(build: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes folder/compile_commands.json: the build's, without the compiler's own precompiled headers."""
    commands = json.loads((build / "compile_commands.json").read_text())
    for each in commands:
        each["command"] = UNKNOWN.sub("", each["command"])
    (folder / "compile_commands.json").write_text(json.dumps(commands))


def findings(commands: pathlib.Path, file: str) -> str:
    done = subprocess.run(["clang-tidy", "-p", commands, "--quiet", file], cwd=ROOT, capture_output=True, text=True)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not NOISE.match(line)]
    return "\n".join(lines) if done.returncode != 0 else ""


def main() -> int:
    build, files = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    passed = build / "lint"
    passed.mkdir(exist_ok=True)
    plain_commands(build, passed)
    known = included(build)
    unbuilt = [file for file in files if file not in known]
    if unbuilt:
        sys.exit(f"lint: not part of the build: {' '.join(unbuilt)}")
    marks = {file: passed / fingerprint(known[file]) for file in files}
    todo = [file for file in files if not marks[file].exists()]
    print(f"lint: {len(todo)} of {len(files)} files to look at", flush=True)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, said in zip(todo, pool.map(lambda each: findings(passed, each), todo)):
            if said:
                bad += 1
                print(said, flush=True)
            else:
                marks[file].touch()
    print(f"lint: {bad} files with findings" if bad else "lint: no findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
