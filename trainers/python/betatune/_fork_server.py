"""A process that makes one process per trial.

It is forked before the trainer opens its first socket, when there is one thread only, and keeps the training function
in its memory: a closure, a model or a data set that was loaded once need not be sent. A fork of the trainer itself
would copy ZeroMQ's locks in whatever state its threads have left them.
"""

import array
import contextlib
import json
import os
import select
import signal
import socket
import sys
from typing import Callable, Optional

_MOST = 4096  # bytes of one message


class ForkServer:
    """`child(link)` runs in each new process, which leads a process group of its own."""

    def __init__(self, child: Callable[[socket.socket], None]):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        _flush()  # or what waits in our buffers would be written by every process
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                ours.close()
                with theirs:
                    _serve(theirs, child)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        self.socket = ours

    def start(self, name) -> socket.socket:
        """Our end of the new process' link. Its pid comes by events(), with `name`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            fds = array.array("i", [theirs.fileno()])
            self.socket.sendmsg([json.dumps(name).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        return ours

    def events(self) -> Optional[list]:
        """What has happened: {"started": name, "pid": n} and {"ended": pid, "status": wait status}. None: it died."""
        found = []
        while True:
            try:
                text = self.socket.recv(_MOST, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return found
            except OSError:
                return None
            if not text:
                return found or None
            found.append(json.loads(text))

    def close(self) -> None:
        """It ends its children and itself."""
        self.socket.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _serve(control: socket.socket, child) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole group; the trainer decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    wake, wake_too = socket.socketpair()
    with wake, wake_too:
        for end in (wake, wake_too):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_too.fileno(), warn_on_full_buffer=False)
        _serve_until_it_closes(control, child, wake, wake_too)
        signal.set_wakeup_fd(-1)


def _serve_until_it_closes(control: socket.socket, child, wake: socket.socket, wake_too: socket.socket) -> None:
    alive = set()
    while True:
        ready, _, _ = select.select([control, wake], [], [])
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                wake.recv(4096)
            _reap(control, alive)
        if control in ready:
            text, fds, _, _ = socket.recv_fds(control, _MOST, 1)
            if not text:  # the trainer is gone
                for pid in alive:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(pid, signal.SIGKILL)
                return
            pid = _fork(control, (wake, wake_too), fds[0], child)
            alive.add(pid)
            control.send(json.dumps({"started": json.loads(text), "pid": pid}).encode())


def _fork(control, wakes, fd: int, child) -> int:
    pid = os.fork()
    if pid != 0:
        os.close(fd)
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)
        return pid
    status = 1
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        for each in (control, *wakes):
            each.close()
        child(socket.socket(fileno=fd))
        status = 0
    finally:
        _flush()
        os._exit(status)
    raise AssertionError("unreachable")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or None
            stream.flush()


def _reap(control: socket.socket, alive: set) -> None:
    while alive:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        alive.discard(pid)
        # What it has started dies with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(BrokenPipeError):
            control.send(json.dumps({"ended": pid, "status": status}).encode())
