"""`betatune run` as a process of its own, for tests in Python. Exits with SKIPPED where a module is missing."""

import atexit
import functools
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLIENT = ROOT / "trainers" / "python"
BUILD = pathlib.Path(os.environ.get("BETATUNE_BINARY_DIR", ROOT / "build")).resolve()
BETATUNE = BUILD / "bin" / "betatune"
SKIPPED = 77
LONGEST_S = 120
sys.path.insert(0, str(CLIENT))


def need(module: str, package: str) -> None:
    """Ends a test program that cannot run here, with the reason."""
    if importlib.util.find_spec(module) is None:
        print(f"skipped: {sys.executable} has no module `{module}` ({package})")
        sys.exit(SKIPPED)


def eventually(condition, what: str):
    """The first true value of condition()."""
    until = time.monotonic() + LONGEST_S
    while time.monotonic() < until:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {LONGEST_S} s: {what}")


def children(pid: int) -> list:
    """Processes whose parent it is."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            # The name may hold anything; what follows its last bracket is state and parent.
            after = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
        except (FileNotFoundError, ProcessLookupError):
            continue
        if len(after) > 1 and int(after[1]) == pid:
            found.append(int(entry.name))
    return found


def below(pid: int) -> list:
    """All its descendants."""
    return [each for child in children(pid) for each in [child, *below(child)]]


def tell(pid: int, what: signal.Signals) -> None:
    """Sends a signal, unless the process is gone."""
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        pass


def command_line(pid: int) -> str:
    """Empty for a process that is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_sanitized() -> bool:
    """Whether the programs of this build are instrumented."""
    cache = BUILD / "CMakeCache.txt"
    return bool(re.search(r"^BETATUNE_SANITIZE:\w+=.+$", cache.read_text(), re.MULTILINE)) if cache.exists() else False


@functools.lru_cache(maxsize=None)
def shims() -> str:
    folder = tempfile.mkdtemp(prefix="betatune-shims-")
    atexit.register(shutil.rmtree, folder)
    return folder


def environment() -> dict:
    """Where `python3` is this interpreter, `import betatune` works and `betatune` is of this build."""
    shim = pathlib.Path(shims(), "python3")
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    shim.chmod(0o755)
    return {**os.environ, "PATH": f"{shims()}:{BETATUNE.parent}:{os.environ['PATH']}", "PYTHONPATH": str(CLIENT)}


def preload(name: str) -> str:
    """A library of tests/support/preload. Ends a test program whose programs are instrumented, as those refuse it."""
    if is_sanitized():
        print("skipped: a sanitizer wants to be the first library of a program")
        sys.exit(SKIPPED)
    return str(BUILD / "tests" / "preload" / f"{name}.so")


class StudyProcess:
    """A study `demo` in a scratch folder. Use it as a context manager."""

    def __init__(self, more: str):
        self._scratch = tempfile.TemporaryDirectory(prefix="betatune-")
        self.folder = pathlib.Path(self._scratch.name)
        self.study = self.folder / "study.yaml"
        self.study.write_text("version: 1\nstudy: {name: demo, seed: 1}\nobjective: {metric: loss}\n" + more)
        self.runs = 0
        self.process = None
        self.helpers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in [self.process, *self.helpers]:
            if each is not None and each.poll() is None:
                each.kill()
                each.wait()
        self._scratch.cleanup()

    def start(self, *arguments, few_descriptors: int = 0) -> str:
        """Starts or restarts the optimizer; returns the address that it prints."""
        self.launch(*arguments, few_descriptors=few_descriptors)
        said = lambda: re.search(r"at ((?:ipc|tcp)://[^\s,]+)", self.output.read_text())  # noqa: E731
        return eventually(said, f"an address in {self.output}").group(1)

    def launch(self, *arguments, few_descriptors: int = 0, **more_environment: str) -> None:
        """The same, where trainers are started by the optimizer and nobody needs its address."""
        self.runs += 1
        self.output = self.folder / f"output-{self.runs}.txt"
        with open(self.output, "w") as output:
            limit = ["prlimit", f"--nofile={few_descriptors}"] if few_descriptors else []
            self.process = subprocess.Popen([*limit, BETATUNE, "run", *arguments, "study.yaml"], cwd=self.folder,
                                            stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            env={**environment(), **more_environment})

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def wait(self) -> int:
        return self.process.wait(LONGEST_S)

    def help(self, command, **options) -> subprocess.Popen:
        """A process that ends with this study."""
        process = subprocess.Popen([str(each) for each in command], cwd=self.folder, text=True,
                                   stdin=subprocess.DEVNULL, **options)
        self.helpers.append(process)
        return process

    def events(self, kind: str) -> list:
        with sqlite3.connect(f"file:{self.folder}/runs/demo/study.db?mode=ro", uri=True) as database:
            rows = database.execute("SELECT body FROM events WHERE type = ? ORDER BY seq", (kind,)).fetchall()
        return [json.loads(body) for (body,) in rows]

    def times(self) -> list:
        """The wall clock's at each event, in microseconds."""
        with sqlite3.connect(f"file:{self.folder}/runs/demo/study.db?mode=ro", uri=True) as database:
            return [at for (at,) in database.execute("SELECT at_us FROM events ORDER BY seq")]

    def check_log(self, trials: int, acknowledged: str = "") -> str:
        """What tests/support/check_log.py, which shares no code with the program, says of the log."""
        acks = self.folder / "acks.txt"
        acks.write_text(acknowledged)
        done = subprocess.run([sys.executable, ROOT / "tests/support/check_log.py", self.folder / "runs/demo",
                               "--trials", str(trials), "--acks", acks], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        return done.stdout
