#!/usr/bin/env python3
"""The Branin function, as a training that takes a moment. Its minimum is 0.397887."""

import math
import time

import betatune

with betatune.trial({"x": math.pi, "y": 2.275}) as t:
    x, y = t.params["x"], t.params["y"]
    time.sleep(t.config.get("seconds", 0.5))
    valley = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    t.report(loss=valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)
