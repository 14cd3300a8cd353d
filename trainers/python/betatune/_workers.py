"""The workers of a trainer: one process, or one thread, per trial that runs."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
from typing import Callable, Dict, List, Optional

from ._errors import BetatuneError
from ._fork_server import ForkServer
from ._run import failed, run_trial
from ._work import Key

_READ = 65536


class _Worker:
    def __init__(self, key: Key, link: socket.socket):
        self.key, self.link = key, link
        self.unread = b""
        self.end: Optional[dict] = None
        self.closed = False  # the link has no more to read
        self.pid = 0
        self.status: Optional[int] = None
        self.kill_at: Optional[float] = None
        self.signalled = False


class Workers:
    """Common to both kinds: the links, JSON lines both ways. A worker reads its ASSIGN, then decisions; it writes its
    reports, and at last its end.

    on_report(key, line) and on_end(key, end) are called by read() and tick().
    """

    def __init__(self, on_report: Callable, on_end: Callable):
        self._on_report, self._on_end = on_report, on_end
        self._workers: Dict[Key, _Worker] = {}

    def descriptors(self) -> List[int]:
        return []

    def links(self) -> Dict[int, Key]:
        """Descriptor -> whose reports can be read there."""
        return {each.link.fileno(): key for key, each in self._workers.items() if not each.closed}

    def tell(self, key: Key, action: str) -> None:
        worker = self._workers.get(key)
        if worker is not None and not worker.closed:
            self._write(worker, {"decision": action})

    @staticmethod
    def _write(worker: _Worker, line: dict) -> None:
        with contextlib.suppress(OSError):  # it has died, which read() will find
            worker.link.sendall(json.dumps(line).encode() + b"\n")

    def read(self, key: Key) -> None:
        worker = self._workers.get(key)
        if worker is None or worker.closed:
            return
        try:
            text = worker.link.recv(_READ)
        except OSError:
            text = b""
        worker.unread += text
        *lines, worker.unread = worker.unread.split(b"\n")
        for line in map(json.loads, lines):
            if "end" in line:
                worker.end = line
            else:
                self._on_report(key, line)
        if not text:
            worker.closed = True
            worker.link.close()
            self._ended(worker)

    def _ended(self, worker: _Worker) -> None:
        raise NotImplementedError


class ProcessWorkers(Workers):
    """grace_s: from SIGTERM to SIGKILL of a worker that is to end."""

    def __init__(self, train: Callable, on_report: Callable, on_end: Callable, grace_s: float):
        super().__init__(on_report, on_end)
        self._grace_s = grace_s
        self._server = ForkServer(lambda link: run_trial(train, link))

    def descriptors(self) -> List[int]:
        return [self._server.socket.fileno()]

    def start(self, key: Key, assign: dict) -> None:
        self._workers[key] = _Worker(key, self._server.start(key))
        self._write(self._workers[key], assign)

    def kill(self, key: Key) -> None:
        worker = self._workers.get(key)
        if worker is not None and worker.kill_at is None:
            worker.kill_at = time.monotonic() + self._grace_s
            self._signal(worker)

    def tick(self) -> None:
        events = self._server.events()
        if events is None:
            raise BetatuneError("the process that starts trials has died; start the trainer again")
        for event in events:
            if "started" in event:
                self._workers[Key(*event["started"])].pid = event["pid"]
                continue
            for worker in list(self._workers.values()):
                if worker.pid == event["ended"]:
                    worker.status = event["status"]
                    self._ended(worker)
        for worker in self._workers.values():
            self._signal(worker)

    def close(self) -> None:
        self._server.close()

    def _signal(self, worker: _Worker) -> None:
        if worker.kill_at is None or worker.pid == 0 or worker.status is not None:
            return
        late = time.monotonic() >= worker.kill_at
        if late or not worker.signalled:
            worker.signalled = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL if late else signal.SIGTERM)

    def _ended(self, worker: _Worker) -> None:
        """A worker is over when it has died, and all that it wrote is read."""
        if worker.status is None or not worker.closed:
            return
        del self._workers[worker.key]
        self._on_end(worker.key, worker.end or _end_of_status(worker.status))


class ThreadWorkers(Workers):
    """No trial can be ended by force, and one that crashes takes all with it; but all share one process' memory."""

    def __init__(self, train: Callable, on_report: Callable, on_end: Callable):
        super().__init__(on_report, on_end)
        self._train = train

    def start(self, key: Key, assign: dict) -> None:
        ours, theirs = socket.socketpair()
        self._workers[key] = _Worker(key, ours)
        threading.Thread(target=run_trial, args=(self._train, theirs), daemon=True, name=f"trial-{key.trial}").start()
        self._write(self._workers[key], assign)

    def kill(self, key: Key) -> None:
        self.tell(key, "stop")

    def tick(self) -> None:
        pass

    def close(self) -> None:
        for worker in self._workers.values():
            worker.link.close()

    def _ended(self, worker: _Worker) -> None:
        del self._workers[worker.key]
        self._on_end(worker.key, worker.end or failed("user", "the training function's thread ended without a word"))


def _end_of_status(status: int) -> dict:
    """How a process that died without its last word counts."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        from_outside = number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        name = signal.Signals(number).name
        return failed("infra" if from_outside else "user", f"the trial's process was ended by {name}")
    return failed("user", f"the trial's process ended with status {os.WEXITSTATUS(status)} before its work was done")
