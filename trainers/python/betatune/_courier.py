"""Attempts on a machine that does not see the study's folder: between the Agent and its workers.

A worker gets a folder of this machine's; the checkpoint that it goes on from is fetched before it begins; one that it
has published is sent, and reported when it has arrived. Attempts that see the study's folder pass through.
"""

import collections
import fcntl
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Callable, Dict, Optional

from ._errors import DamagedCheckpoint
from ._files import Data, FileFetcher, FileSender, Order, Parcel, Stored
from ._run import failed
from ._seal import SUMS, read_seal
from ._work import Key

_log = logging.getLogger("betatune")
_PREFIX = "betatune-trainer-"


class _Trip:
    """An attempt whose files travel."""

    def __init__(self, assign: dict):
        self.assign = assign  # as its worker gets it
        self.fetching = self.unwanted = False
        self.told = "continue"  # before it began
        self.step = assign["from"]
        self.checkpoints: collections.deque = collections.deque()  # on their way, in their order
        self.end: Optional[dict] = None


class Courier:
    """workers: start(), tell() and kill(). on_report(key, line), on_end(key, end) and files_travel(key, whether) are
    the Agent's side; send(verb, body, bytes) goes to the optimizer. own_folder: see Trainer."""

    def __init__(self, workers, send: Callable, on_report: Callable, on_end: Callable, files_travel: Callable,
                 own_folder: Optional[os.PathLike]):
        self._workers, self._on_report, self._on_end = workers, on_report, on_end
        self._files_travel, self._parent = files_travel, own_folder
        self._sender, self._fetcher = FileSender(send, self._sent), FileFetcher(send, self._fetched)
        self._trips: Dict[Key, _Trip] = {}
        self._folder: Optional[_OwnFolder] = None
        self._welcome = False

    # ---- what the Agent wants of its workers ------------------------------------------------------------------------

    def start(self, key: Key, assign: dict) -> None:
        if self._sees_folder(assign["job"]):
            return self._workers.start(key, assign)
        if self._folder is None:
            self._folder = _OwnFolder(self._parent)
            _log.info("the study's folder is not seen here: files of trials are in %s, and travel", self._folder.path)
        study = self._folder.path / "study"
        study.mkdir(exist_ok=True)
        trip = self._trips[key] = _Trip({**assign, "job": {**assign["job"], "study_dir": str(study)}})
        checkpoint = assign.get("resume_from")
        if not checkpoint:
            return self._begin(key, trip)
        if not checkpoint.get("digest"):
            return self.ended(key, failed("infra", f"checkpoint {checkpoint['uri']} has no digest, and cannot be "
                                                   "fetched without one"))
        trip.fetching = True
        self._files_travel(key, True)
        self._fetcher.take(Order(key, checkpoint, study / checkpoint["uri"]))

    def tell(self, key: Key, action: str) -> None:
        trip = self._trips.get(key)
        if trip is not None and trip.fetching:
            trip.told = action
        else:
            self._workers.tell(key, action)

    def kill(self, key: Key, unwanted: bool) -> None:
        trip = self._trips.get(key)
        if trip is None:
            return self._workers.kill(key)
        trip.unwanted = trip.unwanted or unwanted
        if not trip.fetching and trip.end is None:
            return self._workers.kill(key)
        if trip.fetching or unwanted:
            self._give_up(key, trip)

    # ---- what the workers say ---------------------------------------------------------------------------------------

    def reported(self, key: Key, line: dict) -> None:
        trip = self._trips.get(key)
        if trip is None:
            return self._on_report(key, line)
        trip.step = max(trip.step, line["step"])
        checkpoint = line.get("checkpoint")
        if not checkpoint:
            return self._on_report(key, line)
        # What it has measured does not wait for its checkpoint.
        if line["metrics"]:
            self._on_report(key, {"step": line["step"], "metrics": line["metrics"]})
        if trip.unwanted:
            return
        trip.checkpoints.append(checkpoint)
        source = Path(trip.assign["job"]["study_dir"]) / checkpoint["uri"]
        files = []
        try:
            files = list(read_seal(source)[1].items())
        except (DamagedCheckpoint, OSError):
            pass  # a list that cannot be read fails where it is sent
        self._sender.take(Parcel(key, checkpoint["uri"], source, [*files, (SUMS, checkpoint.get("digest", ""))]))

    def ended(self, key: Key, end: dict) -> None:
        trip = self._trips.get(key)
        if trip is None:
            return self._on_end(key, end)
        trip.end = trip.end or end
        if trip.unwanted:
            return self._give_up(key, trip)
        self._files_travel(key, True)
        self._settle(key, trip)

    # ---- what the optimizer says ------------------------------------------------------------------------------------

    @staticmethod
    def read(verb: str, body: dict, frames: list):
        """The message, if it is about a file. Raises KeyError, TypeError or ValueError for what cannot be read."""
        if verb == "STORED":
            return Stored.read(body)
        return Data.read(body, frames[3] if len(frames) > 3 else b"") if verb == "DATA" else None

    def received(self, message, now: float) -> None:
        if isinstance(message, Stored):
            self._sender.received(message, now)
        else:
            self._fetcher.received(message, now)

    def tick(self, welcome: bool, now: float) -> None:
        """welcome: there is a session in which messages can be sent."""
        if welcome and not self._welcome:
            self._sender.begin_again(now)
        self._welcome = welcome
        if welcome:
            self._sender.tick(now)
            self._fetcher.tick(now)

    def close(self) -> None:
        if self._folder is not None:
            self._folder.remove()

    # -----------------------------------------------------------------------------------------------------------------

    def _sees_folder(self, job: dict) -> bool:
        if not job.get("study_dir") or not job.get("folder_mark"):
            return True
        if self._parent is not None:
            return False
        try:
            return Path(job["study_dir"], "folder-mark").read_text().rstrip("\n") == job["folder_mark"]
        except OSError:
            return False

    def _begin(self, key: Key, trip: _Trip) -> None:
        trip.fetching = False
        self._files_travel(key, False)
        self._workers.start(key, trip.assign)
        if trip.told != "continue":
            self._workers.tell(key, trip.told)

    def _fetched(self, order: Order, error: Optional[Exception]) -> None:
        trip = self._trips[order.key]
        if error is None:
            return self._begin(order.key, trip)
        trip.fetching = False
        kind = "checkpoint" if isinstance(error, DamagedCheckpoint) else "infra"
        self.ended(order.key, failed(kind, str(error)))

    def _sent(self, parcel: Parcel, problem: Optional[str]) -> None:
        trip = self._trips[parcel.key]
        shutil.rmtree(parcel.source, ignore_errors=True)
        checkpoint = trip.checkpoints.popleft()
        if problem is None:
            trip.step = max(trip.step, checkpoint["step"])
            self._on_report(parcel.key, {"step": trip.step, "metrics": {}, "checkpoint": checkpoint})
        else:
            # As if it could not have been written.
            _log.warning("%s could not be given to the optimizer: %s", parcel.folder, problem)
            running = trip.end is None
            trip.end = failed("infra", f"the checkpoint could not be sent: {problem}")
            if running:
                return self._workers.kill(parcel.key)
        self._settle(parcel.key, trip)

    def _settle(self, key: Key, trip: _Trip) -> None:
        if trip.end is not None and not trip.checkpoints:
            self._close(key, trip)

    def _close(self, key: Key, trip: _Trip) -> None:
        del self._trips[key]
        if trip.assign.get("resume_from"):
            shutil.rmtree(Path(trip.assign["job"]["study_dir"]) / trip.assign["resume_from"]["uri"], ignore_errors=True)
        self._on_end(key, trip.end)

    def _give_up(self, key: Key, trip: _Trip) -> None:
        """Nobody waits for this attempt any more, and no process works on it."""
        self._sender.drop(key)
        self._fetcher.drop(key)
        trip.end = trip.end or failed("infra", "ended before it began")
        self._close(key, trip)


class _OwnFolder:
    """A folder of this process's own, removed when it ends, and by the next one here if it was killed."""

    def __init__(self, parent: Optional[os.PathLike]):
        parent = Path(parent) if parent is not None else Path(tempfile.gettempdir())
        parent.mkdir(parents=True, exist_ok=True)
        for each in parent.glob(_PREFIX + "*"):
            try:
                with open(each / "lock", "r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(each, ignore_errors=True)
            except OSError:
                pass  # another one's that lives, or not ours
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock = open(self.path / "lock", "w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()
