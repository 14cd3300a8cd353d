"""`betatune.Trainer`: a trainer that speaks BTP/1, in Python alone."""

import functools
import json
import logging
import os
import secrets
import signal
import socket
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Optional

from . import _wire
from ._agent import Agent
from ._courier import Courier
from ._errors import BetatuneError, Interrupted, NoOptimizer, ProtocolError, Refused
from ._work import Kill, Leave, NewSession, Send, Start, Tell
from ._workers import ProcessWorkers, ThreadWorkers

_log = logging.getLogger("betatune")
_TICK_MS = 50
_TURN = 256  # messages before other things get their turn
_LINGER_MS = 1000


class Trainer:
    """Connects to an optimizer and runs its trials with a Python function.

    connect     the address that `betatune run` prints: "ipc://..." or "tcp://127.0.0.1:PORT"
    slots       trials at once
    name        unique among the study's trainers; by default host-process-random
    token_file  the study's token, for tcp://127.0.0.1
    key_file    the key that `betatune key new` made, for an optimizer on another machine; the trainer's name then
                begins with the key's
    isolation   "process": each trial in a process of its own, which can be ended by force; whatever a training does,
                only its trial fails. "thread": all in this process
    patience_s  how long without an optimizer before run() gives up; 0: never
    grace_s     from SIGTERM to SIGKILL of a trial's process
    own_folder  keeps the files of trials below this folder and exchanges checkpoints with the optimizer, even where
                the study's folder is seen here; by default only where it is not, in the folder for temporary files
    """

    def __init__(self, connect: str, slots: int = 1, *, name: Optional[str] = None,
                 token_file: Optional[os.PathLike] = None, key_file: Optional[os.PathLike] = None,
                 isolation: str = "process", patience_s: float = 3600.0, grace_s: float = 10.0,
                 own_folder: Optional[os.PathLike] = None):
        if not 1 <= slots <= _wire.SLOTS:
            raise ValueError(f"slots must be 1 to {_wire.SLOTS}, not {slots}")
        if isolation not in ("process", "thread"):
            raise ValueError(f'isolation is "process" or "thread", not {isolation!r}')
        self.connect, self.slots, self.isolation = connect, slots, isolation
        self.name = name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self.token = _read_secret(Path(token_file)).strip() if token_file is not None else ""
        self.key = _read_key(Path(key_file)) if key_file is not None else None
        if self.key and self.name != self.key["name"] and not self.name.startswith(self.key["name"] + "/"):
            self.name = f'{self.key["name"]}/{self.name}'
        self.patience_s, self.grace_s, self.own_folder = patience_s, grace_s, own_folder

    def run(self, train: Callable) -> None:
        """Runs `train(trial)` for every trial, until the study is over.

        train   gets a betatune.Trial, reports its metrics, and returns None, the objective's last value, or a dict
                of metrics. An exception fails its trial, and no other.
        raises  Refused, NoOptimizer, Interrupted (SIGTERM or SIGINT: the first saves what runs, the second ends it)
        """
        _Running(self, train).run()


def trainer(connect: Optional[str] = None, **options):
    """Makes a training function a program: `@betatune.trainer("ipc://...")`, then call it without arguments.

    Without an address, or as plain `@betatune.trainer`, the environment variable BETATUNE_CONNECT gives it. With an
    argument the function is what it was, so that it can be called with a Trial in tests.
    """
    if callable(connect):
        return trainer()(connect)

    def decorate(train):
        @functools.wraps(train)
        def run(*arguments, **more):
            if arguments or more:
                return train(*arguments, **more)
            address = connect or os.environ.get("BETATUNE_CONNECT")
            if not address:
                raise BetatuneError("where is the optimizer? Name it in @betatune.trainer, or in BETATUNE_CONNECT")
            return Trainer(address, **options).run(train)

        return run

    return decorate


class _Running:
    """One run(): the Agent between a socket to the optimizer and the workers."""

    def __init__(self, setup: Trainer, train: Callable):
        self._setup = setup
        self._agent = Agent(setup.name, setup.slots, setup.token, setup.patience_s)
        reported = lambda key, line: self._courier.reported(key, line)  # noqa: E731
        ended = lambda key, end: self._courier.ended(key, end)  # noqa: E731
        if setup.isolation == "process":
            self._workers = ProcessWorkers(train, reported, ended, setup.grace_s)
        else:
            self._workers = ThreadWorkers(train, reported, ended)
        self._courier = Courier(
            self._workers, self._send, self._on_report, self._on_end,
            lambda key, travel: self._agent.files_travel(key, travel, time.monotonic()), setup.own_folder)
        self._leave: Optional[Leave] = None
        self._reconnect = False
        self._socket = self._monitor = None
        self._signals: list = []

    def run(self) -> None:
        import zmq  # behind the fork of the workers' server, and only for those who use a Trainer

        self._zmq = zmq
        self._context = zmq.Context()
        before = self._catch_signals()
        try:
            self._open_session()
            while self._leave is None:
                self._turn()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._close_socket(_LINGER_MS)
            self._context.term()
            self._workers.close()
            self._courier.close()
        if self._leave.refusal is not None:
            raise Refused(*self._leave.refusal)
        if self._leave.interrupted:
            kind = NoOptimizer if self._leave.reason.startswith("no optimizer") else Interrupted
            raise kind(self._leave.reason)

    def _turn(self) -> None:
        if self._reconnect:
            self._reconnect = False
            self._open_session()
        links = self._workers.links()
        poller = self._zmq.Poller()
        for each in (self._socket, self._monitor, *self._workers.descriptors()):
            poller.register(each, self._zmq.POLLIN)
        for fd, key in links.items():
            if self._agent.may_read(key):
                poller.register(fd, self._zmq.POLLIN)
        ready = dict(poller.poll(_TICK_MS))
        self._take_signals()
        self._take_messages()
        if self._monitor in ready and self._leave is None:
            # A new session closes the socket: the last words of the connection, a BYE, must be read before.
            while self._take_messages():
                pass
            if self._was_refused():
                self._leave = Leave(("bad_key", "the optimizer does not let this trainer in: it asks for a key, for "
                                     "another one, or for none"), False, "refused")
            else:
                self._perform(self._agent.disconnected(time.monotonic()))
        for fd in ready:
            if fd in links:
                self._workers.read(links[fd])
        self._workers.tick()
        self._perform(self._agent.tick(time.monotonic()))
        self._courier.tick(self._agent.session == "welcome" and not self._reconnect, time.monotonic())

    # ---- the socket -------------------------------------------------------------------------------------------------

    def _open_session(self) -> None:
        self._close_socket(0)
        zmq = self._zmq
        dealer = self._context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.LINGER, _LINGER_MS)
        dealer.setsockopt(zmq.SNDHWM, 16384)
        dealer.setsockopt(zmq.RCVHWM, 16384)
        dealer.setsockopt(zmq.MAXMSGSIZE, 1 << 20)
        dealer.setsockopt(zmq.RECONNECT_IVL, 50)
        dealer.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
        if self._setup.key:
            dealer.curve_serverkey = self._setup.key["server"].encode()
            dealer.curve_publickey = self._setup.key["public"].encode()
            dealer.curve_secretkey = self._setup.key["secret"].encode()
        self._refusals = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        self._monitor = dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED | self._refusals)
        dealer.connect(self._setup.connect)
        self._socket = dealer
        self._perform(self._agent.connected(time.monotonic()))

    def _was_refused(self) -> bool:
        events = 0
        while self._monitor.poll(0):
            frames = self._monitor.recv_multipart()
            events |= int.from_bytes(frames[0][:2], sys.byteorder)  # source: zmq_socket_monitor(3)
        return bool(events & self._refusals)

    def _close_socket(self, linger_ms: int) -> None:
        if self._socket is not None:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close(linger_ms)
            self._socket = self._monitor = None

    def _take_messages(self) -> bool:
        """Whether there may be more."""
        for _ in range(_TURN):
            if self._reconnect or self._leave is not None:
                return False
            try:
                frames = self._socket.recv_multipart(self._zmq.DONTWAIT)
            except self._zmq.Again:
                return False
            try:
                verb, body = _wire.decode(frames)
                effects = self._agent.received(verb, body, time.monotonic())
                about_file = self._courier.read(verb, body, frames)
            except (ProtocolError, KeyError, TypeError, ValueError) as error:
                _log.warning("a message that cannot be read: %r", error)
                continue
            self._perform(effects)
            if about_file is not None:
                self._courier.received(about_file, time.monotonic())
        return True

    # ---- effects ----------------------------------------------------------------------------------------------------

    def _perform(self, effects: list) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._send(effect.verb, effect.body)
            elif isinstance(effect, NewSession):
                self._reconnect = True
            elif isinstance(effect, Start):
                self._courier.start(effect.key, effect.assign)
            elif isinstance(effect, Tell):
                self._courier.tell(effect.key, effect.action)
            elif isinstance(effect, Kill):
                self._courier.kill(effect.key, effect.unwanted)
            elif self._leave is None:
                self._leave = effect

    def _send(self, verb: str, body: dict, part: Optional[bytes] = None) -> None:
        try:
            self._socket.send_multipart(_wire.encode(verb, body, part), self._zmq.DONTWAIT)
        except self._zmq.Again:
            pass  # sent again: reports after the next WELCOME or by the clock, DONE and BEAT by the clock

    def _on_report(self, key, line: dict) -> None:
        self._perform(self._agent.reported(key, line["step"], line["metrics"], line.get("checkpoint"),
                                           time.monotonic()))

    def _on_end(self, key, end: dict) -> None:
        _log.info("trial %d attempt %d: %s", key.trial, key.attempt, end["end"])
        self._perform(self._agent.ended(key, end["end"], time.monotonic(), end.get("failure"), end.get("message", "")))

    # ---- signals ----------------------------------------------------------------------------------------------------

    def _catch_signals(self) -> dict:
        if threading.current_thread() is not threading.main_thread():
            return {}
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
        return {number: signal.signal(number, lambda got, _: self._signals.append(got)) for number in numbers}

    def _take_signals(self) -> None:
        """SIGUSR1 finishes what runs; SIGTERM or SIGINT saves what runs and leaves, the second one at once."""
        while self._signals:
            number = self._signals.pop(0)
            now = time.monotonic()
            if number == signal.SIGUSR1:
                self._perform(self._agent.drain("asked to finish (SIGUSR1)", now))
            elif self._agent.hurrying:
                self._leave = Leave(None, True, "ended at once by a second signal")
            else:
                self._perform(self._agent.hurry(f"asked to end ({signal.Signals(number).name})", now))


def _read_secret(file: Path) -> str:
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise BetatuneError(f"{file}: others may read this secret; make a new one, or `chmod 600` it if nobody has")
    return file.read_text()


def _read_key(file: Path) -> dict:
    try:
        key = json.loads(_read_secret(file))
        if key["betatune_key"] == 1 and key["name"] and all(len(key[each]) == 40 for each in ("public", "secret", "server")):
            return key
    except (KeyError, TypeError, ValueError):
        pass
    raise BetatuneError(f"{file}: is not a key file; `betatune key new NAME`, where the optimizer runs, makes one")
