"""Files between a trainer and an optimizer whose study's folder it does not see: PUT and GET of docs/protocol.md."""

import collections
import contextlib
import hashlib
import shutil
from pathlib import Path
from typing import Callable, List, NamedTuple, Optional, Tuple

from ._errors import DamagedCheckpoint
from ._seal import SUMS, digest_of_file, read_seal
from ._work import Key

PART = 256 * 1024
WINDOW = 8 * PART  # on the way and not answered, at most
SMALL = 32 * 1024
AGAIN_S = 5.0
REFUSED_MOST = 3
SPOILT_MOST = 2


class Stored(NamedTuple):
    about: tuple  # key, folder, path
    offset: int
    complete: bool
    problem: str

    @staticmethod
    def read(body: dict) -> "Stored":
        return Stored((Key(int(body["trial"]), int(body["attempt"])), body["folder"], body["path"]),
                      int(body["offset"]), bool(body.get("complete")), str(body.get("problem") or ""))


class Data(NamedTuple):
    about: tuple  # key, folder, path, offset
    size: int
    problem: str
    part: bytes

    @staticmethod
    def read(body: dict, part: bytes) -> "Data":
        about = (Key(int(body["trial"]), int(body["attempt"])), body["folder"], body["path"], int(body["offset"]))
        return Data(about, int(body.get("size", 0)), str(body.get("problem") or ""), part)


class Parcel(NamedTuple):
    key: Key
    folder: str  # its name below the study's folder
    source: Path  # where it is here
    files: List[Tuple[str, str]]  # path and digest, in the order in which they are sent; "": not known


class _Sent:
    """The file being sent."""

    def __init__(self, file: Path, digest: str):
        # A list of digests spares reading a large file once more, while nobody beats.
        self.file, self.size, self.digest = file, file.stat().st_size, digest or digest_of_file(file)
        self.asked = self.known = False  # what the optimizer has of it
        self.there = self.sent = 0


class FileSender:
    """Gives folders to the optimizer, one after the other. Where a message is lost it goes back to what the optimizer
    has; after a new session it asks for each file what is there.

    send(verb, body, bytes), done(parcel, problem): problem is None where the parcel has arrived.
    """

    def __init__(self, send: Callable, done: Callable):
        self._send, self._done = send, done
        self._parcels: collections.deque = collections.deque()
        self._at = self._refused = 0
        self._current: Optional[_Sent] = None
        self._moved = 0.0

    def take(self, parcel: Parcel) -> None:
        self._parcels.append(parcel)

    def drop(self, key: Key) -> None:
        if self._parcels and self._parcels[0].key == key:
            self._at, self._refused, self._current = 0, 0, None
        self._parcels = collections.deque(each for each in self._parcels if each.key != key)

    def begin_again(self, now: float) -> None:
        self._at, self._current = 0, None
        self.tick(now)

    def tick(self, now: float) -> None:
        if not self._parcels:
            return
        if self._current is not None and now - self._moved >= AGAIN_S:
            self._current.asked = self._current.known = False
        self._pump(now)

    def received(self, stored: Stored, now: float) -> None:
        if not self._parcels or self._current is None:
            return
        parcel, current = self._parcels[0], self._current
        if stored.about != (parcel.key, parcel.folder, parcel.files[self._at][0]):
            return  # an answer that was sent twice
        self._moved = now
        if stored.problem:
            self._refused += 1
            return self.begin_again(now) if self._refused < REFUSED_MOST else self._finish(stored.problem)
        current.there = min(stored.offset, current.size)
        if not current.known:  # the first answer says where to begin, or to begin again
            current.known, current.sent = True, current.there
        last = self._at + 1 == len(parcel.files)
        if stored.complete if last else current.there >= current.size:
            self._current = None
            if last:
                return self._finish(None)
            self._at += 1
        self._pump(now)

    def _pump(self, now: float) -> None:
        parcel = self._parcels[0]
        try:
            if self._current is None:
                path, digest = parcel.files[self._at]
                self._current = _Sent(parcel.source / path, digest)
            current = self._current
            if not current.known:
                if not current.asked:
                    current.asked, self._moved = True, now
                    # A small file is sent along: asking would take as long.
                    self._put(0, current.file.read_bytes() if current.size <= SMALL else b"")
                return
            if current.sent >= current.size:
                return
            with open(current.file, "rb") as file:
                file.seek(current.sent)
                while current.sent < current.size and current.sent - current.there < WINDOW:
                    part = file.read(PART)
                    if not part:
                        raise OSError(f"{current.file} has become shorter")
                    self._put(current.sent, part)
                    current.sent += len(part)
        except OSError as error:
            self._finish(f"cannot read {parcel.files[self._at][0]}: {error}")

    def _put(self, offset: int, part: bytes) -> None:
        parcel, current = self._parcels[0], self._current
        self._send("PUT", {"trial": parcel.key.trial, "attempt": parcel.key.attempt, "folder": parcel.folder,
                           "path": parcel.files[self._at][0], "size": current.size, "digest": current.digest,
                           "offset": offset}, part)

    def _finish(self, problem: Optional[str]) -> None:
        parcel = self._parcels.popleft()
        self._at, self._refused, self._current = 0, 0, None
        self._done(parcel, problem)


class Order(NamedTuple):
    key: Key
    checkpoint: dict  # an ArtifactRef with a digest
    folder: Path  # where it is to be, here


class FileFetcher:
    """Gets checkpoints, one after the other: the list first, then every file of it. They are checked byte for byte
    while they arrive: reading them again would hold up the beats.

    send(verb, body, bytes), done(order, error): None where it is there, else what is wrong.
    """

    def __init__(self, send: Callable, done: Callable):
        self._send, self._done = send, done
        self._orders: collections.deque = collections.deque()
        self._moved, self._spoilt = 0.0, 0
        self._begin()

    def take(self, order: Order) -> None:
        self._orders.append(order)
        if len(self._orders) == 1:
            self._begin()

    def drop(self, key: Key) -> None:
        first = bool(self._orders) and self._orders[0].key == key
        if first:
            shutil.rmtree(self._beside(), ignore_errors=True)
        self._orders = collections.deque(each for each in self._orders if each.key != key)
        if first:
            self._spoilt = 0
            self._begin()

    def tick(self, now: float) -> None:
        if not self._orders:
            return
        if now - self._moved >= AGAIN_S:
            self._asked = self._here
        self._pump(now)

    def received(self, data: Data, now: float) -> None:
        if not self._orders:
            return
        order = self._orders[0]
        if data.about != (order.key, order.checkpoint["uri"], self._files[self._at][0], self._here):
            return  # an answer that came twice, or too late
        self._moved = now
        if data.problem:
            return self._finish(DamagedCheckpoint(data.problem))
        self._size = data.size
        try:
            file = self._beside() / self._files[self._at][0]
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "ab" if self._here else "wb") as out:
                out.write(data.part)
            self._so_far.update(data.part)
            self._here += len(data.part)
            if self._here < self._size:
                return self._pump(now)
            if self._file_done():
                return self._finish(None)
        except DamagedCheckpoint as error:
            self._spoilt += 1
            if self._spoilt >= SPOILT_MOST:
                return self._finish(error)
            self._begin()
        except OSError as error:
            return self._finish(error)
        self._pump(now)

    def _begin(self) -> None:
        self._files: List[Tuple[str, str]] = []  # path and digest; the list is the first
        self._at = 0
        self._begin_file()
        if self._orders:
            self._files.append((SUMS, self._orders[0].checkpoint["digest"]))
            shutil.rmtree(self._beside(), ignore_errors=True)

    def _begin_file(self) -> None:
        self._here = self._asked = 0
        self._size: Optional[int] = None
        self._so_far = hashlib.blake2b(digest_size=32)

    def _beside(self) -> Path:
        folder = self._orders[0].folder
        return folder.with_name(folder.name + ".tmp")

    def _pump(self, now: float) -> None:
        order = self._orders[0]
        while (self._asked == self._here if self._size is None
               else self._asked < self._size and self._asked - self._here < WINDOW):
            if self._asked == self._here:
                self._moved = now
            self._send("GET", {"trial": order.key.trial, "attempt": order.key.attempt,
                               "folder": order.checkpoint["uri"], "path": self._files[self._at][0],
                               "offset": self._asked}, None)
            self._asked += PART

    def _file_done(self) -> bool:
        """Whether it was the last one."""
        path, digest = self._files[self._at]
        if self._so_far.hexdigest() != digest:
            what = f"{path} has changed" if self._at else f"{SUMS} is not the one that was reported"
            raise DamagedCheckpoint(f"checkpoint {self._orders[0].checkpoint['uri']} is damaged: {what}")
        if self._at == 0:
            self._files += read_seal(self._beside())[1].items()
        self._begin_file()
        self._at += 1
        return self._at == len(self._files)

    def _finish(self, error: Optional[Exception]) -> None:
        order = self._orders[0]
        if error is None:
            try:
                shutil.rmtree(order.folder, ignore_errors=True)
                self._beside().rename(order.folder)
            except OSError as failure:
                error = failure
        if error is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._beside(), ignore_errors=True)
        self._orders.popleft()
        self._spoilt = 0
        self._begin()
        self._done(order, error)
