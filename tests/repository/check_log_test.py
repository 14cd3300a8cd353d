#!/usr/bin/env python3
"""The checker of logs must itself see what it is for: a good log has no violation, each damaged one has."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from check_log import Checker, Defaults  # noqa: E402

GOOD = [
    ("study_created", {}),
    ("optimizer_started", {"epoch": 1}),
    ("trial_created", {"trial": 0, "configuration": {"x": 1}}),
    ("attempt_started", {"trial": 0, "attempt": 1, "from": 0, "until": 2}),
    ("reported", {"trial": 0, "attempt": 1, "seq": 1, "step": 1, "loss": 3.0}),
    ("checkpoint_saved", {"trial": 0, "attempt": 1, "artifact": {"step": 1}}),
    ("report_conflicted", {"report": {"trial": 0, "attempt": 1, "seq": 1, "step": 1, "loss": 4.0}}),
    ("attempt_ended", {"trial": 0, "attempt": 1, "end": "lost"}),
    ("optimizer_started", {"epoch": 2}),
    ("attempt_started", {"trial": 0, "attempt": 2, "from": 1, "until": 2}),
    ("reported", {"trial": 0, "attempt": 2, "seq": 1, "step": 2, "loss": 2.0}),
    ("attempt_ended", {"trial": 0, "attempt": 2, "end": "reached"}),
    ("trial_closed", {"trial": 0, "outcome": "completed", "loss": 2.0}),
    ("study_closed", {}),
]


def violations(facts, trials=1):
    events = [(seq, kind, Defaults(body)) for seq, (kind, body) in enumerate(facts, 1)]
    return Checker(events, trials).problems


def changed(index, **fields):
    facts = list(GOOD)
    facts[index] = (facts[index][0], {**facts[index][1], **fields})
    return facts


def without(index):
    return GOOD[:index] + GOOD[index + 1 :]


def repeated(index):
    return GOOD[: index + 1] + GOOD[index:]


BAD = {
    "an epoch that does not grow": changed(8, epoch=1),
    "a report missing": without(10),
    "a report twice": repeated(4),
    "a gap in seq": changed(10, seq=2),
    "a report of an old attempt": changed(10, attempt=1),
    "a step that was trained already": changed(10, step=1),
    "two live attempts": without(7),
    "an attempt's number skipped": changed(9, attempt=3),
    "a resume from nowhere": without(5),
    "a trial closed twice": repeated(12),
    "a trial closed while it runs": without(11),
    "another loss than reported": changed(12, loss=3.0),
    "no end": without(13),
    "a trial missing": without(12),
    "a trial created twice": repeated(2),
    "a log without a beginning": without(0),
    "a conflict with no report": changed(6, report={"trial": 0, "attempt": 1, "seq": 2, "step": 1}),
}

assert violations(GOOD) == [], violations(GOOD)
assert violations(GOOD, trials=2), "a trial too few is not seen"
for what, facts in BAD.items():
    assert violations(facts), f"not seen: {what}"
print(f"1 good log, {len(BAD) + 1} bad ones")
