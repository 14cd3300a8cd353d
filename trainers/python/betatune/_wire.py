"""BTP/1 messages to and from frames (docs/protocol.md, "Frames"). No sockets here."""

import json
import math
from typing import Optional

from ._errors import ProtocolError

TAG = b"BTP1"
PROTOCOL = 1
BODY_BYTES = 512 * 1024
FRAMES = 7
METRICS_PER_REPORT = 256
UNACKNOWLEDGED_REPORTS = 256
SLOTS = 4096
TEXT_BYTES = 4096
NAME_BYTES = 128


def encode(verb: str, body: dict, part: Optional[bytes] = None) -> list:
    """The frames of a message, with bytes of a file behind it. Numbers that are not finite become the protocol's
    words."""
    text = json.dumps(spelt(body), allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    # A lone surrogate (a file name that is not UTF-8) has no UTF-8 form: it is replaced.
    frames = [TAG, verb.encode("ascii"), text.encode("utf-8", "replace")]
    return frames if part is None else [*frames, part]


def decode(frames: list) -> tuple:
    """(verb, body) of a message. Raises ProtocolError; unknown fields are kept, for the reader to ignore."""
    if not 3 <= len(frames) <= FRAMES:
        raise ProtocolError("malformed", f"a message of {len(frames)} frames")
    if frames[0] != TAG:
        raise ProtocolError("malformed", "the first frame is not BTP1")
    if len(frames[2]) > BODY_BYTES:
        raise ProtocolError("malformed", f"a body of {len(frames[2])} bytes")
    try:
        body = json.loads(frames[2].decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("malformed", f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ProtocolError("malformed", "the body is not a JSON object")
    return frames[1].decode("ascii", "replace"), body


def shortened(text: str) -> str:
    """At most the bytes that a DONE may carry, cut between characters."""
    return text.encode("utf-8", "replace")[:TEXT_BYTES].decode("utf-8", "ignore")


def spelt(value):
    """Numbers that are not finite, at any depth, as the words that stand for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: spelt(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [spelt(each) for each in value]
    return value


def _no_constant(word: str):
    raise ValueError(f"{word} is not JSON")
