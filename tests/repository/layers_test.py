#!/usr/bin/env python3
"""Fails when an include crosses a layer, or a third-party library leaks out of its one place."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder -> folders it may include from. Edges only point down.
ALLOWED = {
    "searchspaces": set(),
    "configs": {"searchspaces"},
    "transport": {"searchspaces"},
    "optimizer": {"searchspaces", "configs", "transport"},
    "trainers": {"searchspaces", "transport"},
    # What a user's plug-in sees: plugin.h and trainer.hpp, nothing else (checked below).
    "examples": set(),
}
PLUGIN_HEADERS = {"plugin.h", "trainer.hpp"}
# Trainers on the engine, which takes libtorch and this folder's headers.
ENGINE_EXAMPLES, ENGINE_HEADERS = "examples/torch-engine/", "trainers/torch/engine/"

# header pattern -> the only files that may include it
THIRD_PARTY = {
    r"yaml-cpp/": [r"configs/node\.cpp"],
    r"sqlite3\.h": [r"optimizer/stores/sqlite\w*\.(cpp|hpp)"],
    r"boost/(asio|beast)": [r"transport/asio\.hpp"],
    r"zmq\.hp?p?": [r"transport/zmq_\w+\.(cpp|hpp)"],
    r"(torch|ATen|c10)/": [r"trainers/torch/.*", rf"{ENGINE_EXAMPLES}.*"],
    r"gloo/": [r"trainers/torch/distributed/gloo\.cpp"],
    r"(nccl\.h|cuda_runtime)": [r"trainers/torch/distributed/nccl\w*\.(cpp|hpp)"],
    r"CLI/": [r"optimizer/(cli/.*|main\.cpp)", r"trainers/main\.cpp", r"trainers/cli/.*"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def problems_of(path: str) -> list[str]:
    folder = path.split("/")[0]
    found = []
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(2)
        target = header.split("/")[0]
        place = f"{path}:{number}"
        if path.startswith(ENGINE_EXAMPLES) and header.startswith(ENGINE_HEADERS):
            continue
        if target in ALLOWED and target != folder and target not in ALLOWED[folder]:
            found.append(f"{place}: {folder}/ must not include {header}")
        if folder == "examples" and match.group(1) == '"' and header not in PLUGIN_HEADERS:
            found.append(f"{place}: examples use {sorted(PLUGIN_HEADERS)} only, not {header}")
        if folder != "tests" and target == "tests":
            found.append(f"{place}: product code must not include {header}")
        for pattern, homes in THIRD_PARTY.items():
            if re.match(pattern, header) and not any(re.fullmatch(home, path) for home in homes):
                found.append(f"{place}: {header} belongs in {homes}")
    return found


def self_check() -> None:
    """The patterns must catch what they are for."""
    assert re.match(r"zmq\.hp?p?", "zmq.hpp") and re.match(r"(torch|ATen|c10)/", "torch/torch.h")
    assert INCLUDE.match('#include "optimizer/history.hpp"').group(2) == "optimizer/history.hpp"


def main() -> int:
    self_check()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.cpp", "*.hpp", "*.h"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()
    product = [p for p in listed if p.split("/")[0] in ALLOWED and (ROOT / p).exists()]
    if len(product) < 20:
        print(f"only {len(product)} source files found: is this a checkout?")
        return 1
    found = [problem for path in product for problem in problems_of(path)]
    print("\n".join(found) if found else f"{len(product)} files keep to their layers")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
