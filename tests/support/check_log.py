#!/usr/bin/env python3
"""Checks a study's log against what Betatune promises, with none of Betatune's own code.

usage: check_log.py STUDY_FOLDER [--trials N] [--acks FILE]

FILE has a line `trial attempt seq` for every report that a trainer was told is durable.
Prints every violation, one per line, and ends with status 1 if there was any.
"""

import argparse
import collections
import json
import pathlib
import sqlite3
import sys


class Checker:
    def __init__(self, events, trials_wanted):
        self.problems = []
        self.suspects = set()  # trials with problems
        self.trial = None  # of the event at hand
        self.created = {}
        self.closed = {}
        self.live = {}  # trial -> attempt that runs now
        self.last_attempt = collections.Counter()
        self.started = {}  # (trial, attempt) -> fact
        self.reports = collections.defaultdict(list)
        self.checkpoints = collections.defaultdict(set)
        self.epoch = 0
        self.study_closed = False
        for number, (seq, kind, body) in enumerate(events, 1):
            self.here = f"event {seq} ({kind})"
            self.trial = trial_of(body)
            if seq != number:
                self.bad(f"expected event {number}")
            if number == 1 and kind != "study_created":
                self.bad("a log begins with study_created")
            getattr(self, "on_" + kind)(body)
        self.here, self.trial = "at the end", None
        self.finish(trials_wanted)

    def bad(self, text):
        self.problems.append(f"{self.here}: {text}")
        if self.trial is not None:
            self.suspects.add(self.trial)

    def on_study_created(self, body):
        pass

    def on_document_changed(self, body):
        pass

    def on_configuration_enqueued(self, body):
        pass

    def on_optimizer_started(self, body):
        if body["epoch"] <= self.epoch:
            self.bad(f"epoch {body['epoch']} after {self.epoch}")
        self.epoch = body["epoch"]
        self.study_closed = False

    def on_trial_created(self, body):
        trial = body["trial"]
        if trial != len(self.created):
            self.bad(f"trial {trial}, expected {len(self.created)}")
        key = json.dumps(body["configuration"], sort_keys=True)
        if key in self.created.values():
            self.bad(f"trial {trial} repeats a configuration")
        self.created[trial] = key

    def on_attempt_started(self, body):
        trial, attempt = body["trial"], body["attempt"]
        if trial not in self.created:
            self.bad(f"trial {trial} was never created")
        if trial in self.live:
            self.bad(f"two live attempts of trial {trial}: {self.live[trial]} and {attempt}")
        if trial in self.closed:
            self.bad(f"trial {trial} is closed")
        if attempt != self.last_attempt[trial] + 1:
            self.bad(f"attempt {attempt} of trial {trial} after {self.last_attempt[trial]}")
        if body["from"] > 0 and body["from"] not in self.checkpoints[trial]:
            self.bad(f"trial {trial} resumes from step {body['from']}, of which no checkpoint is known")
        self.last_attempt[trial] = attempt
        self.live[trial] = attempt
        self.started[trial, attempt] = body

    def current(self, body):
        trial, attempt = body["trial"], body["attempt"]
        if self.live.get(trial) != attempt:
            self.bad(f"attempt {attempt} of trial {trial} is not the live one ({self.live.get(trial)})")
            return False
        return True

    def on_reported(self, body):
        if not self.current(body):
            return
        key = body["trial"], body["attempt"]
        if body["seq"] != len(self.reports[key]) + 1:
            self.bad(f"report {body['seq']} of {key}, expected {len(self.reports[key]) + 1}")
        start = self.started[key]
        if not start["from"] < body["step"] <= start["until"]:
            self.bad(f"step {body['step']} of {key} is outside of {start['from']} to {start['until']}")
        self.reports[key].append(body)

    def on_report_conflicted(self, body):
        report = body["report"]
        if self.current(report) and not 1 <= report["seq"] <= len(self.reports[report["trial"], report["attempt"]]):
            self.bad(f"report {report['seq']} of trial {report['trial']} conflicts with none")

    def on_checkpoint_saved(self, body):
        if self.current(body):
            self.checkpoints[body["trial"]].add(body["artifact"]["step"])

    def on_decided(self, body):
        self.current(body)

    def on_attempt_ended(self, body):
        if not self.current(body):
            return
        trial, attempt = body["trial"], body["attempt"]
        del self.live[trial]
        if body["end"] == "reached":
            made = [report["step"] for report in self.reports[trial, attempt]]
            if self.started[trial, attempt]["until"] not in made:
                self.bad(f"attempt {attempt} of trial {trial} reached its end without reporting it")

    def on_trial_closed(self, body):
        trial = body["trial"]
        if trial in self.closed:
            self.bad(f"trial {trial} is closed twice")
        if trial in self.live:
            self.bad(f"trial {trial} is closed while it runs")
        self.closed[trial] = body
        if body["outcome"] == "completed":
            self.check_loss(trial, body["loss"])

    def check_loss(self, trial, loss):
        """A completed trial counts for the report of its highest step, of the newest attempt that has it."""
        best = None
        for (each, attempt), made in self.reports.items():
            for report in made if each == trial else []:
                if report["loss"] is not None and (best is None or (report["step"], attempt) >= best[0]):
                    best = (report["step"], attempt), report["loss"]
        if best is None or best[1] != loss:
            self.bad(f"trial {trial} counts for {loss}, its reports say {best}")

    def on_study_closed(self, body):
        self.study_closed = True
        if self.live:
            self.bad(f"attempts run: {sorted(self.live)}")

    def finish(self, trials_wanted):
        if trials_wanted is None:
            return
        if len(self.closed) != trials_wanted or len(self.created) != trials_wanted:
            self.bad(f"{len(self.created)} trials created and {len(self.closed)} closed, {trials_wanted} asked for")
        if self.live:
            self.bad(f"attempts run: {sorted(self.live)}")
        if not self.study_closed:
            self.bad("the study is not closed")


def trial_of(body):
    return (body["report"] or body)["trial"]


def check_projections(database, checker):
    """The tables that people query say what the log says."""
    rows = dict(database.execute("SELECT id, outcome FROM trials WHERE state = 'closed'"))
    expected = {trial: body["outcome"] for trial, body in checker.closed.items()}
    if rows != expected:
        checker.bad("the view `trials` has other closed trials than the log")
    (rows,) = database.execute("SELECT count(*) FROM report_rows").fetchone()
    reports = sum(len(made) for made in checker.reports.values())
    if rows != reports:
        checker.bad(f"{rows} rows of reports, {reports} reports in the log")


def check_acknowledged(path, checker):
    for line in path.read_text().splitlines():
        trial, attempt, seq = map(int, line.split())
        if seq > len(checker.reports[trial, attempt]):
            checker.bad(f"report {seq} of trial {trial} attempt {attempt} was acknowledged and is missing")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--acks", type=pathlib.Path)
    arguments = parser.parse_args()
    database = sqlite3.connect(f"file:{arguments.folder / 'study.db'}?mode=ro", uri=True)
    (verdict,) = database.execute("PRAGMA integrity_check").fetchone()
    rows = database.execute("SELECT seq, type, body FROM events ORDER BY seq")
    events = [(seq, kind, Defaults(json.loads(body))) for seq, kind, body in rows]
    checker = Checker(events, arguments.trials)
    if verdict != "ok":
        checker.bad(f"SQLite finds the file damaged: {verdict}")
    check_projections(database, checker)
    if arguments.acks:
        check_acknowledged(arguments.acks, checker)
    for problem in checker.problems:
        print(problem)
    for seq, kind, body in events:  # what happened to them
        if trial_of(body) in checker.suspects or (checker.suspects and kind == "optimizer_started"):
            print(f"  {seq} {kind} {json.dumps(body)}")
    print(
        f"{len(checker.created)} trials, {sum(checker.last_attempt.values())} attempts, "
        f"{sum(map(len, checker.reports.values()))} reports, {checker.epoch} optimizer starts, "
        f"{len(checker.problems)} violations"
    )
    return 1 if checker.problems else 0


class Defaults(dict):
    """Optional fields of a fact are left out where they are empty."""

    def __missing__(self, key):
        return None


if __name__ == "__main__":
    sys.exit(main())
