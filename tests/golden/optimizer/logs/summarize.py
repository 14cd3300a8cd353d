#!/usr/bin/env python3
"""What the golden logs fold to, by a second implementation that shares no code with the first.

Writes NAME.summary.json beside each NAME.jsonl. The logs themselves are never written again: they
are what earlier versions left on users' disks.
"""
import glob
import json
import os


def level_of(trial, full):
    step = max(trial["losses"])
    return min(step, full), trial["losses"][step]


def fold(path):
    trials, closed, state = [], {}, {"epoch": 0, "next_plan": 0, "enqueued": 0, "reason": None}
    full = 1
    for line in open(path, encoding="utf-8"):
        event = json.loads(line)
        body, kind = event["body"], event["type"]
        trial = trials[body["trial"]] if "trial" in body and body["trial"] < len(trials) else None
        state["seq"] = event["seq"]
        if kind in ("study_created", "document_changed"):
            full = body["document"].get("fidelity", {}).get("max", 1)
            for each in trials:
                if each["standing"]:
                    each["standing"] = level_of(each, full)
        elif kind == "optimizer_started":
            state["epoch"], state["reason"] = body["epoch"], None
        elif kind == "configuration_enqueued":
            state["enqueued"] += 1
        elif kind == "trial_created":
            trials.append({"state": "waiting", "losses": {}, "attempt": 0, "standing": None,
                           "charged": 0, "outcome": None})
            state["enqueued"] -= body["origin"] == "enqueued"
            if body.get("plan") is not None:
                state["next_plan"] = max(state["next_plan"], body["plan"] + 1)
        elif kind == "attempt_started":
            trial.update(state="running", attempt=body["attempt"], by=None)
        elif kind == "reported" and body.get("loss") is not None:
            trial["losses"][body["step"]] = body["loss"]
        elif kind == "decided":
            trial["by"] = body["by"]
        elif kind == "attempt_ended":
            end = body["end"]
            goes_on = end in ("failed", "lost") or (end == "paused" and trial["by"] != "scheduler")
            trial["state"] = "waiting" if goes_on else "paused"
            if end in ("failed", "lost"):
                trial["charged"] += body.get("charged", True)
            elif trial["losses"]:
                trial["standing"] = level_of(trial, full)
        elif kind == "trial_closed":
            trial.update(state="closed", outcome=body["outcome"])
            closed[body["outcome"]] = closed.get(body["outcome"], 0) + 1
            if body["outcome"] in ("failed", "cancelled"):
                trial["standing"] = None
        elif kind == "study_closed":
            state["reason"] = body["reason"]
    ranked = sorted((-t["standing"][0], t["standing"][1], n)
                    for n, t in enumerate(trials) if t["standing"])
    return {**state, "best": ranked[0][2] if ranked else None, "closed": closed,
            "trials": [{"state": t["state"], "outcome": t["outcome"], "attempt": t["attempt"],
                        "charged": t["charged"],
                        "loss": t["losses"][max(t["losses"])] if t["losses"] else None}
                       for t in trials]}


here = os.path.dirname(os.path.abspath(__file__))
for log in sorted(glob.glob(os.path.join(here, "*.jsonl"))):
    with open(log[: -len("jsonl")] + "summary.json", "w", encoding="utf-8") as out:
        json.dump(fold(log), out, indent=1, sort_keys=True)
        out.write("\n")
