#!/usr/bin/env python3
"""Messages to and from frames, without a socket."""

import json
import math
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "trainers/python"))
from betatune import ProtocolError, _wire  # noqa: E402


def body_of(frames):
    return json.loads(frames[2])


class Wire(unittest.TestCase):
    def test_reads_what_it_writes(self):
        frames = _wire.encode("ACK", {"trial": 1, "attempt": 2, "seq": 3})

        self.assertEqual(frames[:2], [b"BTP1", b"ACK"])
        self.assertEqual(_wire.decode(frames), ("ACK", {"trial": 1, "attempt": 2, "seq": 3}))

    def test_spells_numbers_that_are_not_finite(self):
        metrics = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 0.1}

        written = body_of(_wire.encode("REPORT", {"metrics": metrics}))["metrics"]

        self.assertEqual(written, {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": 0.1})

    def test_refuses_what_is_not_a_message(self):
        good = _wire.encode("BYE", {})
        bad = {
            "too few frames": good[:2],
            "too many frames": good + [b""] * 5,
            "another tag": [b"BTP2", *good[1:]],
            "not JSON": [*good[:2], b"{"],
            "not an object": [*good[:2], b"[1]"],
            "a bare NaN": [*good[:2], b'{"a": NaN}'],
            "not UTF-8": [*good[:2], b'{"a": "\xff"}'],
            "too long": [*good[:2], b"{" + b" " * _wire.BODY_BYTES + b"}"],
            "too deep for the reader": [*good[:2], b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}"],
        }
        for what, frames in bad.items():
            with self.subTest(what), self.assertRaises(ProtocolError) as caught:
                _wire.decode(frames)
            self.assertEqual(caught.exception.code, "malformed")

    def test_allows_frames_that_are_reserved(self):
        self.assertEqual(_wire.decode(_wire.encode("BYE", {}) + [b"x"] * 4), ("BYE", {}))

    def test_writes_text_that_has_no_utf8_form(self):
        body_of(_wire.encode("DONE", {"message": "file \udcff"}))

    def test_shortens_between_characters(self):
        text = _wire.shortened("é" * 5000)

        self.assertEqual(text, "é" * (_wire.TEXT_BYTES // 2))


if __name__ == "__main__":
    unittest.main()
