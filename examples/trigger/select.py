#!/usr/bin/env python3
"""A trainer with two objectives and a limit: cuts of a toy trigger.

Run by `betatune run configs/trigger.yaml`; by hand:

    python3 select.py --pt=25 --isolation=0.2 --window=3 --layers=2

Generates the same signal and background events each time (muons of a narrow resonance, and soft
ones from jets), applies the cuts, and reports how much of the signal is kept, the rate that is
left, and what the selection costs per event. Only the standard library is used.
"""

import argparse
import json
import math
import random

EVENTS = 4000
BACKGROUND_KHZ = 400.0


def events(signal):
    """Transverse momentum in GeV, isolation, and distance from the vertex in mm, of each event."""
    generator = random.Random("signal" if signal else "background")
    for _ in range(EVENTS):
        if signal:
            pt = abs(generator.gauss(45, 12))
            isolation = generator.expovariate(1 / 0.08)
            distance = abs(generator.gauss(0, 1.0))
        else:
            pt = 5 + generator.expovariate(1 / 9.0)
            isolation = generator.expovariate(1 / 0.45)
            distance = abs(generator.gauss(0, 3.5))
        yield pt, isolation, distance, generator.gauss(0, 1)


def passing(signal, cuts):
    """The part of the events that pass. More tracking layers measure momentum better."""
    resolution = 0.3 / math.sqrt(cuts.layers)
    kept = 0
    for pt, isolation, distance, noise in events(signal):
        measured = pt * max(0.0, 1 + resolution * noise)
        if measured > cuts.pt and isolation < cuts.isolation and distance < cuts.window:
            kept += 1
    return kept / EVENTS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pt", type=float, required=True, help="least momentum, GeV")
    parser.add_argument("--isolation", type=float, required=True, help="largest isolation")
    parser.add_argument("--window", type=float, required=True, help="largest distance, mm")
    parser.add_argument("--layers", type=int, required=True, help="tracking layers that are read")
    cuts = parser.parse_args()
    # Wide windows and many layers give more combinations to fit.
    latency = 0.6 + 0.25 * cuts.layers * (1 + 0.3 * cuts.window)
    print(json.dumps({"efficiency": passing(True, cuts),
                      "rate_khz": BACKGROUND_KHZ * passing(False, cuts),
                      "latency_us": latency}))


if __name__ == "__main__":
    main()
