#!/usr/bin/env python3
"""Every test that docs/reliability.md names exists."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEST = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)


def main() -> int:
    page = (ROOT / "docs" / "reliability.md").read_text()
    sources = list((ROOT / "tests").rglob("*_test.*"))
    known = {f"{suite}.{name}" for source in sources if source.suffix == ".cpp"
             for suite, name in TEST.findall(source.read_text())}
    known |= {source.name for source in sources}
    named = set(re.findall(r"`(\w+\.\w+)`", page)) - {"check_log.py"}
    missing = sorted(named - known)
    for each in missing:
        print(f"docs/reliability.md names `{each}`, which is no test")
    if len(named) < 30:
        print(f"only {len(named)} tests were found in docs/reliability.md: is it read rightly?")
        return 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
