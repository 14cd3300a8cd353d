#!/usr/bin/env python3
"""Files on their way between the Python client and an optimizer, over a network that loses and repeats messages."""

import collections
import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "trainers/python"))
from betatune._files import PART, Data, FileFetcher, FileSender, Order, Parcel, Stored  # noqa: E402
from betatune._seal import SUMS, check_seal, digest_of_file, read_seal, seal_folder  # noqa: E402
from betatune._work import Key  # noqa: E402

KEY = Key(3, 2)
FOLDER = "checkpoints/trial-3/attempt-2-step-7"


def checkpoint(folder: pathlib.Path, draw: random.Random) -> str:
    """Sizes about those of a part, and of none; returns the digest."""
    for number in range(draw.randrange(4)):
        file = folder / draw.choice(["", "inner"]) / str(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(draw.randbytes(draw.choice([0, 1, PART - 1, PART, PART + 1, 3 * PART + 17])))
    folder.mkdir(parents=True, exist_ok=True)
    return seal_folder(folder)


class Optimizer:
    """As docs/protocol.md has it, in memory: what has arrived of a folder is lost at a restart."""

    def __init__(self, study: pathlib.Path):
        self.study, self.incoming, self.complete = study, {}, set()

    def restart(self):
        self.incoming = {}

    def put(self, body, part):
        answer = {each: body[each] for each in ("trial", "attempt", "folder", "path")}
        if body["folder"] in self.complete:
            return {**answer, "offset": body["size"], "complete": body["path"] == SUMS}
        held = self.incoming.get(body["path"], b"")
        if body["offset"] == len(held):
            held += part
        self.incoming[body["path"]] = held
        answer["offset"] = len(held)
        if body["path"] != SUMS or len(held) < body["size"]:
            return answer
        folder = self.study / body["folder"]
        for path, content in self.incoming.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        try:
            check_seal(folder, body["digest"])
        except Exception as error:
            return {**answer, "problem": str(error)}
        self.complete.add(body["folder"])
        return {**answer, "complete": True}

    def get(self, body):
        content = (self.study / body["folder"] / body["path"]).read_bytes()
        return {**body, "size": len(content)}, content[body["offset"]:body["offset"] + PART]


class Network:
    def __init__(self, optimizer, draw, trouble):
        self.optimizer, self.draw, self.trouble = optimizer, draw, trouble
        self.up, self.down = collections.deque(), collections.deque()

    def carry(self, way, message):
        if self.draw.random() < 0.1 * self.trouble:
            return
        way.append(message)
        if self.draw.random() < 0.1 * self.trouble:
            way.append(message)

    def send(self, verb, body, part=None):
        self.carry(self.up, (verb, body, part))

    def run(self, over, hear, tick, again=lambda now: None):
        now = 0.0
        while not over() and now < 3600:
            now += 0.05
            if self.draw.random() < 0.02 * self.trouble:
                if self.draw.random() < 0.5:
                    self.optimizer.restart()
                self.up.clear()
                self.down.clear()
                again(now)
            tick(now)
            while self.up:
                verb, body, part = self.up.popleft()
                self.carry(self.down, (self.optimizer.put(body, part), b"") if verb == "PUT" else self.optimizer.get(body))
            while self.down:
                hear(*self.down.popleft(), now)


class Travels(unittest.TestCase):
    def cases(self, count):
        for seed in range(count):
            draw = random.Random(seed)
            with self.subTest(seed=seed), tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
                yield draw, pathlib.Path(here), pathlib.Path(there), seed % 2

    def same(self, folder, other, digest):
        check_seal(other, digest)
        for path in read_seal(folder)[1]:
            self.assertEqual(digest_of_file(folder / path), digest_of_file(other / path))

    def test_to_the_optimizer(self):
        for draw, here, there, trouble in self.cases(20):
            digest = checkpoint(here / "c", draw)
            network = Network(Optimizer(there), draw, trouble)
            ended = []
            sender = FileSender(network.send, lambda parcel, problem: ended.append(problem))
            sender.take(Parcel(KEY, FOLDER, here / "c", [*read_seal(here / "c")[1].items(), (SUMS, digest)]))

            network.run(lambda: ended, lambda body, part, now: sender.received(Stored.read(body), now), sender.tick,
                        sender.begin_again)

            self.assertEqual(ended, [None])
            self.same(here / "c", there / FOLDER, digest)

    def test_from_the_optimizer(self):
        for draw, here, there, trouble in self.cases(20):
            digest = checkpoint(there / FOLDER, draw)
            network = Network(Optimizer(there), draw, trouble)
            ended = []
            fetcher = FileFetcher(network.send, lambda order, error: ended.append(error))
            fetcher.take(Order(KEY, {"uri": FOLDER, "digest": digest}, here / "c"))

            network.run(lambda: ended, lambda body, part, now: fetcher.received(Data.read(body, part), now),
                        fetcher.tick)

            self.assertEqual(ended, [None])
            self.same(there / FOLDER, here / "c", digest)

    def test_damage_is_found(self):
        for draw, here, there, _ in self.cases(4):
            digest = checkpoint(there / FOLDER, draw)
            (there / FOLDER / "extra").write_bytes(b"x")
            digest = seal_folder(there / FOLDER)
            (there / FOLDER / "extra").write_bytes(b"y")
            network = Network(Optimizer(there), draw, 0)
            ended = []
            fetcher = FileFetcher(network.send, lambda order, error: ended.append(error))
            fetcher.take(Order(KEY, {"uri": FOLDER, "digest": digest}, here / "c"))

            network.run(lambda: ended, lambda body, part, now: fetcher.received(Data.read(body, part), now),
                        fetcher.tick)

            self.assertIn("extra has changed", str(ended[0]))
            self.assertFalse((here / "c").exists())

    def test_damage_of_one_that_is_dropped_does_not_count_for_the_next(self):
        with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
            folder = pathlib.Path(there) / FOLDER
            folder.mkdir(parents=True)
            (folder / "model").write_bytes(b"weights")
            order = Order(KEY, {"uri": FOLDER, "digest": seal_folder(folder)}, pathlib.Path(here) / "c")
            sent, ended = [], []
            fetcher = FileFetcher(lambda verb, body, part: sent.append(body), lambda order, error: ended.append(error))

            def answer(damaged):
                path = sent.pop()["path"]
                whole = (folder / path).read_bytes()
                part = b"X" + whole[1:] if damaged else whole
                fetcher.received(Data((KEY, FOLDER, path, 0), len(whole), "", part), 0)

            for dropped in (True, False):
                fetcher.take(order)
                fetcher.tick(0)
                answer(damaged=False)  # the list
                answer(damaged=True)
                if dropped:
                    fetcher.drop(KEY)
                    sent.clear()
            answer(damaged=False)
            answer(damaged=False)

            self.assertEqual(ended, [None])

    def test_a_refusal_ends_the_parcel(self):
        with tempfile.TemporaryDirectory() as here:
            (pathlib.Path(here) / "log").write_text("words")
            sent, ended = [], []
            sender = FileSender(lambda verb, body, part: sent.append(body), lambda parcel, problem: ended.append(problem))
            sender.take(Parcel(KEY, "trials/3/attempt-2", pathlib.Path(here), [("log", "")]))
            sender.tick(0.0)
            for _ in range(3):
                sender.received(Stored.read({**sent[-1], "problem": "no room"}), 0.0)

            self.assertEqual(ended, ["no room"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
