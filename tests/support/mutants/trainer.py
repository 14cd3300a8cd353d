#!/usr/bin/env python3
"""The reference trainer with one mistake in it, which the conformance kit must find.

    python3 trainer.py MUTATION ADDRESS
"""

import pathlib
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[3] / "examples/protocol/trainer.py"
# name: what stands in the reference, what the mutant has in its place, and a case that must fail
MUTATIONS = {
    "old_session": ('secrets.token_hex(16)', '"0" * 32', "T-SESSION-19"),
    "new_name": ('f"reference-py-{os.getpid()}"', 'secrets.token_hex(4)', "T-SESSION-19"),
    "stays_unwelcome": ('body["code"] == "not_welcome" and self.welcome', 'False', "T-SESSION-19"),
    "unknown_verb_kills": ('elif verb == "ERROR":', 'elif verb == "OF_TOMORROW":\n            sys.exit(1)\n'
                           '        elif verb == "ERROR":', "T-SESSION-14"),
    "deaf_to_bye": ('self.leaving = self.leaving or verb == "BYE"', 'pass', "T-SESSION-23"),
    "no_goodbye": ('self.send("BYE", {"reason": "done", "drain": False})', 'pass', "T-SESSION-24"),
    "no_duplicate_check": ('Attempt(body) if newer or not self.work else self.work', 'Attempt(body)', "T-ATTEMPT-11"),
    "no_epoch_fence": ('body["epoch"] >= self.welcome["epoch"]', 'True', "T-ATTEMPT-12"),
    "loses_the_last_report": ('self.send("REPORT", work.train())', '(lambda it: work.end or self.send("REPORT", it))'
                              '(work.train())', "T-ATTEMPT-2"),
    "steps_too_far": ('"step": self.step, "metrics"', '"step": self.step + 1, "metrics"', "T-ATTEMPT-3"),
    "holds_nothing": ('return [self.work.held()] if self.work else []', 'return []', "T-ATTEMPT-6"),
    "credit_lies": ('0 if self.work or self.leaving else 1', '1', "T-ATTEMPT-9"),
    "deaf_to_errors": ('elif ours:  # stale', 'elif False:  # stale', "T-ATTEMPT-14"),
    "deaf_to_drop": ('and not self.is_in(body.get("drop", []))', '', "T-ATTEMPT-18"),
    "keeps_what_welcome_drops": ('self.work = self.work if self.is_in(body.get("keep", [])) else None', 'pass',
                                 "T-ATTEMPT-19"),
    "offers_nothing_again": ('for report in self.work.unacknowledged if self.work else []:', 'for report in []:',
                             "T-DELIVERY-1"),
    "changes_what_it_offers": ('self.send("REPORT", report)', 'self.send("REPORT", {**report, "metrics": {}})',
                               "T-DELIVERY-1"),
    "says_done_once": ('if self.work and self.work.end:\n            self.send("DONE", self.work.done())', 'pass',
                       "T-DELIVERY-4"),
    "forgets_too_much": ('each["seq"] > body["seq"]', 'False', "T-DELIVERY-8"),
    "numbers_anew": ('self.heard = self.beat_at = time.monotonic()',
                     'self.heard = self.beat_at = time.monotonic()\n        if self.work: self.work.seq = 0',
                     "T-DELIVERY-11"),
    "stops_for_others": ('verb == "DECISION" and ours', 'verb == "DECISION" and self.work', "T-DECISION-5"),
    "continue_stops": (' and body["action"] != "continue":\n            self.work.end = {"stop": "stopped", "pause": '
                       '"paused"}[body["action"]]', ':\n            self.work.end = "stopped"', "T-DECISION-4"),
}

if __name__ == "__main__":
    original, mutant, _ = MUTATIONS[sys.argv[1]]
    source = SOURCE.read_text()
    assert original in source, f"{sys.argv[1]}: the reference has changed, and so must its mutant"
    sys.argv = [str(SOURCE), *sys.argv[2:]]
    exec(compile(source.replace(original, mutant), str(SOURCE), "exec"), {"__name__": "__main__"})
