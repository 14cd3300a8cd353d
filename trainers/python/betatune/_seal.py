"""Folders that can be told from torn or changed ones: `B2SUMS` lists their files as `b2sum -l 256` does."""

import hashlib
import os
import re
from pathlib import Path
from typing import Dict, Tuple

from ._errors import BadCheckpoint, DamagedCheckpoint

SUMS = "B2SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def seal_folder(folder: Path) -> str:
    """Writes the list; returns its digest, which stands for the whole folder."""
    lines = []
    for path in sorted(_files(folder), key=os.fsencode):
        if re.search(r"[\n\r\\]", path):
            raise BadCheckpoint(f"a file name in a checkpoint cannot have a line break or a backslash: {path!r}")
        lines.append(f"{digest_of_file(folder / path)}  {path}\n")
    text = "".join(lines).encode(errors="surrogateescape")
    # A list that was copied from another checkpoint may be a link to it: never written through.
    (folder / SUMS).unlink(missing_ok=True)
    (folder / SUMS).write_bytes(text)
    return _digest_of(text)


def read_seal(folder: Path) -> Tuple[str, Dict[str, str]]:
    """The digest of a folder's list, and what the list says: {path: digest}. Raises DamagedCheckpoint."""
    try:
        text = (folder / SUMS).read_bytes()
    except FileNotFoundError:
        raise DamagedCheckpoint(f"checkpoint {folder} is damaged: {SUMS} is missing") from None
    files = {}
    for line in text.decode(errors="surrogateescape").split("\n")[:-1]:
        match = _LINE.fullmatch(line)
        if not match or Path(match[2]).is_absolute() or ".." in Path(match[2]).parts:
            raise DamagedCheckpoint(f"checkpoint {folder} is damaged: {SUMS} has a line that is not one of b2sum's")
        files[match[2]] = match[1]
    return _digest_of(text), files


def check_seal(folder: Path, digest: str) -> None:
    """Raises DamagedCheckpoint, naming the first file that is missing or changed."""
    sealed, files = read_seal(folder)
    if sealed != digest:
        raise DamagedCheckpoint(f"checkpoint {folder} is damaged: {SUMS} is not the one that was reported")
    for path, expected in files.items():
        try:
            found = digest_of_file(folder / path)
        except FileNotFoundError:
            raise DamagedCheckpoint(f"checkpoint {folder} is damaged: {path} is missing") from None
        if found != expected:
            raise DamagedCheckpoint(f"checkpoint {folder} is damaged: {path} has changed")


def _files(folder: Path):
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            relative = str(path.relative_to(folder))
            if path.is_file() and relative != SUMS:
                yield relative


def _digest_of(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def digest_of_file(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=32)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
