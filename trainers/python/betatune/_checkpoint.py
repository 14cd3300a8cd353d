"""Checkpoints: written beside, sealed, made durable, then renamed, so that a reader sees one whole or not at all."""

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Callable, Iterator, Optional

from ._errors import BadCheckpoint, DamagedCheckpoint
from ._seal import check_seal, read_seal, seal_folder

_STATE = re.compile(r"state-(\d+)")


@contextlib.contextmanager
def protocol_checkpoint(study_dir: Path, trial: int, attempt: int, step: int,
                        published: Callable[[dict], None]) -> Iterator[Path]:
    """study_dir/checkpoints/trial-T/attempt-A-step-S. `published` gets its ArtifactRef (docs/protocol.md)."""
    folder = study_dir / "checkpoints" / f"trial-{trial}"
    target = folder / f"attempt-{attempt}-step-{step}"
    draft = folder / f"attempt-{attempt}-next.tmp"
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    _remove_drafts(folder, attempt)
    draft.mkdir()
    try:
        yield draft
        digest = seal_folder(draft)
        size = _sync_tree(draft)
        # The same attempt at the same step has the same state: never without a published one.
        if target.exists():
            digest, _ = read_seal(target)
            shutil.rmtree(draft)
        else:
            draft.rename(target)
            for each in [folder, *([folder.parent, study_dir] if fresh else [])]:
                _sync(each, os.O_DIRECTORY)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    published({"uri": str(target.relative_to(study_dir)), "step": step, "bytes": size, "digest": digest})


@contextlib.contextmanager
def command_checkpoint(folder: Path, step: int) -> Iterator[Path]:
    """folder/state-S, the only one in it afterwards: a command's folder is published as it is at the end."""
    draft = folder / "next.tmp"
    target = folder / f"state-{step}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        _sync_tree(draft)
        if target.exists():
            shutil.rmtree(draft)
        else:
            draft.rename(target)
            _sync(folder, os.O_DIRECTORY)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    for each in folder.iterdir():
        if _STATE.fullmatch(each.name) and each != target:
            shutil.rmtree(each, ignore_errors=True)


def published_state(folder: Path) -> Path:
    """The state inside of a checkpoint: its newest state-S, or the folder itself if it has none."""
    states = [each for each in folder.iterdir() if _STATE.fullmatch(each.name)] if folder.is_dir() else []
    return max(states, key=lambda each: int(_STATE.fullmatch(each.name).group(1)), default=folder)


def checkpoint_path(study_dir: Path, artifact: Optional[dict]) -> Optional[Path]:
    """The folder of an ArtifactRef, checked byte for byte if it has a digest.

    Raises DamagedCheckpoint if it is not what was published, BadCheckpoint if it leaves the study's folder, or if
    this machine does not see that folder.
    """
    if not artifact:
        return None
    uri = Path(artifact["uri"])
    if uri.is_absolute() or ".." in uri.parts or not uri.parts:
        raise BadCheckpoint(f"checkpoint `{uri}` is not inside the study's folder")
    path = study_dir / uri
    if not path.is_dir():
        # The optimizer's own file tells the study's folder from one that a trainer made for itself.
        if (study_dir / "study.db").exists():
            raise DamagedCheckpoint(f"checkpoint {path} is missing")
        raise BadCheckpoint(f"checkpoint {path} is missing; is the study's folder shared with this machine?")
    if artifact.get("digest"):
        check_seal(path, artifact["digest"])
    return path


def _remove_drafts(folder: Path, attempt: int) -> None:
    """Unfinished work of this attempt and of older ones, which are over."""
    for each in folder.glob("attempt-*-next.tmp"):
        number = each.name[len("attempt-"):-len("-next.tmp")]
        if number.isdigit() and int(number) <= attempt:
            shutil.rmtree(each, ignore_errors=True)


def _sync(path: Path, flags: int = 0) -> None:
    fd = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_tree(root: Path) -> int:
    """Makes a tree durable, files first; returns the bytes of its files."""
    size = 0
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            path = Path(folder) / name
            if path.is_symlink():
                continue
            _sync(path)
            size += path.stat().st_size
        _sync(Path(folder), os.O_DIRECTORY)
    return size
