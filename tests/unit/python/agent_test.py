#!/usr/bin/env python3
"""What a trainer must do (docs/protocol.md), of the pure class that decides it in the Python client."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "trainers/python"))
from betatune import _wire  # noqa: E402
from betatune._agent import Agent  # noqa: E402
from betatune._work import Key, Kill, Leave, NewSession, Send, Start, Tell  # noqa: E402

WELCOME = {"protocol": 1, "study": "s", "epoch": 7, "beat_ms": 5000, "lease_ms": 30000}
FIRST = Key(0, 1)


def assign(trial=0, attempt=1, epoch=7, **job):
    return {"trial": trial, "attempt": attempt, "epoch": epoch, "params": {"x": 1}, "from": 0, "until": 3, "seed": 5,
            "job": {"objective": "loss", **job}}


def ack(seq, done=False, key=FIRST):
    return {"trial": key.trial, "attempt": key.attempt, "seq": seq, "done": done}


def sent(effects, verb=None):
    return [each.body for each in effects if isinstance(each, Send) and verb in (None, each.verb)]


def verbs(effects):
    return [each.verb for each in effects if isinstance(each, Send)]


class Conversation(unittest.TestCase):
    """An agent that has been welcomed at time 0."""

    def setUp(self):
        self.agent = Agent("me", slots=2)
        self.hello = sent(self.agent.connected(0.0), "HELLO")[0]
        self.welcomed = self.agent.received("WELCOME", WELCOME, 0.0)

    def hear(self, verb, body, now=0.0):
        return self.agent.received(verb, body, now)

    def begin(self, **more):
        return self.hear("ASSIGN", assign(**more))

    def report(self, step, now=0.0, key=FIRST):
        return self.agent.reported(key, step, {"loss": 1.0 / step}, None, now)

    def end(self, how="reached", now=0.0, key=FIRST, **more):
        return self.agent.ended(key, how, now, **more)


class Session(Conversation):
    def test_begins_with_hello_and_then_offers_its_slots(self):
        self.assertEqual((self.hello["trainer"], self.hello["slots"], self.hello["held"]), ("me", 2, []))
        self.assertEqual(len(self.hello["session"]), 32)
        self.assertEqual(sent(self.welcomed, "READY"), [{"credit": 2}])

    def test_repeats_its_credit_with_every_beat(self):
        effects = self.agent.tick(5.0)

        self.assertEqual(verbs(effects), ["BEAT", "READY"])

    def test_a_new_session_names_everything_that_is_held(self):
        self.begin()
        self.report(1)

        self.assertIn(NewSession(), self.hear("ERROR", {"code": "not_welcome"}))
        hello = sent(self.agent.connected(1.0), "HELLO")[0]

        self.assertNotEqual(hello["session"], self.hello["session"])
        self.assertEqual(hello["held"], [{"trial": 0, "attempt": 1, "last_seq": 1, "step": 1}])

    def test_offers_again_what_the_welcome_does_not_have(self):
        self.begin()
        for step in (1, 2, 3):
            self.report(step)
        self.end()
        self.agent.disconnected(1.0)
        self.agent.connected(1.0)

        effects = self.hear("WELCOME", {**WELCOME, "keep": [{"trial": 0, "attempt": 1, "last_seq": 2}]}, 1.0)

        self.assertEqual([each["seq"] for each in sent(effects, "REPORT")], [3])
        self.assertEqual([each["final_seq"] for each in sent(effects, "DONE")], [3])

    def test_ends_what_the_welcome_does_not_keep(self):
        self.begin()
        self.agent.disconnected(1.0)
        self.agent.connected(1.0)

        effects = self.hear("WELCOME", WELCOME, 1.0)

        self.assertIn(Kill(FIRST, True), effects)
        self.end(now=2.0)
        self.assertEqual(self.agent.work, {})

    def test_takes_two_and_a_half_beats_of_silence_for_a_broken_connection(self):
        self.assertNotIn(NewSession(), self.agent.tick(12.4))
        self.assertIn(NewSession(), self.agent.tick(12.6))

    def test_says_hello_again_while_nobody_answers(self):
        agent = Agent("me", slots=1)
        agent.connected(0.0)

        self.assertIn(NewSession(), agent.tick(1.1))

    def test_sends_nothing_but_hello_before_it_is_welcome(self):
        self.begin()
        self.agent.disconnected(1.0)
        self.agent.connected(1.0)

        self.assertEqual(verbs(self.report(1, 1.5) + self.agent.tick(1.6)), [])

    def test_leaves_when_refused_for_good(self):
        effects = self.hear("ERROR", {"code": "bad_token", "fatal": True, "message": "no"})

        self.assertEqual(effects[-1].refusal, ("bad_token", "no"))

    def test_gives_up_after_its_patience(self):
        effects = self.agent.tick(3601.0)

        self.assertIsInstance(effects[-1], Leave)
        self.assertTrue(effects[-1].interrupted)

    def test_ignores_a_verb_it_does_not_know(self):
        self.assertEqual(self.hear("DANCE", {"trial": 0}), [])

    def test_a_body_without_what_its_verb_needs_changes_nothing(self):
        for verb in ("WELCOME", "ASSIGN", "ACK", "DECISION", "ERROR"):
            with self.subTest(verb), self.assertRaises(KeyError):
                self.hear(verb, {})
        self.assertEqual(self.agent.work, {})


class Attempts(Conversation):
    def test_starts_what_is_assigned_and_only_once(self):
        self.assertEqual(self.begin(), [Start(FIRST, assign())])
        self.assertEqual(self.begin(), [])

    def test_ignores_an_assignment_of_an_older_epoch(self):
        self.assertEqual(self.begin(epoch=6), [])

    def test_a_newer_attempt_ends_the_older_one(self):
        self.begin()

        effects = self.begin(attempt=2)

        self.assertIn(Kill(FIRST, True), effects)
        self.assertEqual(self.begin(attempt=1), [])

    def test_numbers_reports_and_forgets_them_when_they_are_durable(self):
        self.begin()
        seqs = [sent(self.report(step), "REPORT")[0]["seq"] for step in (1, 2, 3)]

        self.hear("ACK", ack(2))

        self.assertEqual(seqs, [1, 2, 3])
        self.assertEqual([each["seq"] for each in self.agent.work[FIRST].reports], [3])

    def test_has_at_most_256_reports_unacknowledged_on_the_way(self):
        self.begin()
        seqs = [each["seq"] for step in range(300) for each in sent(self.report(step + 1), "REPORT")]
        self.assertEqual(len(seqs), _wire.UNACKNOWLEDGED_REPORTS)

        effects = self.hear("ACK", ack(100))

        self.assertEqual([each["seq"] for each in sent(effects, "REPORT")], list(range(257, 301)))

    def test_offers_missing_reports_and_done_again(self):
        self.begin()
        self.report(1)
        self.end()

        effects = self.hear("ERROR", {"code": "missing_reports", "trial": 0, "attempt": 1})

        self.assertEqual(verbs(effects), ["REPORT", "DONE"])

    def test_offers_reports_again_that_nobody_acknowledges(self):
        self.begin()
        self.report(1)
        self.hear("BEAT", {}, 4.0)

        self.assertIn("REPORT", verbs(self.agent.tick(5.1)))

    def test_repeats_done_until_it_is_acknowledged(self):
        self.begin()
        self.report(1)
        self.end()
        self.assertEqual(verbs(self.agent.tick(2.1)), ["DONE"])

        self.hear("ACK", ack(1, done=True), 2.2)

        self.assertEqual(self.agent.work, {})

    def test_gives_the_slot_back_when_a_worker_ends(self):
        self.begin()

        effects = self.end()

        self.assertEqual(sent(effects, "READY"), [{"credit": 2}])

    def test_passes_a_decision_on_once_and_a_stop_after_a_pause(self):
        self.begin()
        pause = {"trial": 0, "attempt": 1, "action": "pause"}
        stop = {**pause, "action": "stop"}

        told = [self.hear("DECISION", each) for each in (pause, pause, stop, pause)]

        self.assertEqual(told, [[Tell(FIRST, "pause")], [], [Tell(FIRST, "stop")], []])

    def test_kills_what_does_not_stop(self):
        self.begin()
        self.hear("DECISION", {"trial": 0, "attempt": 1, "action": "stop"})
        self.assertNotIn(Kill(FIRST), self.agent.tick(4.0))
        self.hear("BEAT", {}, 29.0)

        self.assertIn(Kill(FIRST), self.agent.tick(31.0))
        done = sent(self.end("failed", 31.0, failure="infra"), "DONE")[0]
        self.assertEqual(done["end"], "stopped")

    def test_ends_stale_work_without_a_word(self):
        self.begin()
        self.report(1)

        effects = self.hear("ERROR", {"code": "stale_attempt", "trial": 0, "attempt": 1})

        self.assertEqual([each for each in effects if isinstance(each, Kill)], [Kill(FIRST, True)])
        self.assertEqual(verbs(self.end()), ["READY"])

    def test_ends_what_a_beat_drops(self):
        self.begin()

        self.assertIn(Kill(FIRST, True), self.hear("BEAT", {"drop": [{"trial": 0, "attempt": 1}]}))

    def test_a_limit_that_is_passed_is_a_timeout(self):
        for limit in ("wall_time_ms", "silence_ms"):
            with self.subTest(limit):
                self.setUp()
                self.begin(**{limit: 1000})
                self.assertIn(Kill(FIRST), self.agent.tick(1.1))
                done = sent(self.end("failed", 1.2, failure="infra"), "DONE")[0]
                self.assertEqual((done["end"], done["failure"]), ("failed", "timeout"))

    def test_time_on_the_road_does_not_count(self):
        self.begin(wall_time_ms=1000, silence_ms=1000)
        self.agent.files_travel(FIRST, True, 0.0)
        self.assertNotIn(Kill(FIRST), self.agent.tick(9.0))
        self.agent.files_travel(FIRST, False, 9.0)

        self.assertNotIn(Kill(FIRST), self.agent.tick(9.9))
        self.assertIn(Kill(FIRST), self.agent.tick(10.1))

    def test_a_failure_has_its_class_and_at_most_4096_bytes(self):
        self.begin()

        done = sent(self.end("failed", failure="oom", message="x" * 5000), "DONE")[0]

        self.assertEqual((done["failure"], len(done["message"])), ("oom", 4096))


class Leaving(Conversation):
    def test_bye_lets_what_runs_finish(self):
        self.begin()
        self.assertEqual(self.hear("BYE", {"reason": "trials"}), [Send("READY", {"credit": 0})])
        self.report(1)
        self.end()

        effects = self.hear("ACK", ack(1, done=True))

        self.assertEqual(effects[-1], Leave(None, False, "trials"))

    def test_bye_without_drain_ends_it(self):
        self.begin()

        self.assertIn(Kill(FIRST, True), self.hear("BYE", {"drain": False}))

    def test_hurry_pauses_what_runs_and_does_not_call_it_done(self):
        self.begin()

        effects = self.agent.hurry("SIGTERM", 1.0)
        self.assertIn(Tell(FIRST, "pause"), effects)
        self.assertIn("BYE", verbs(effects))

        effects = self.end("paused", 2.0)
        self.assertEqual(sent(effects, "DONE"), [])
        self.assertEqual(sent(effects, "BYE"), [{"reason": "SIGTERM", "drain": False}])
        self.assertTrue(effects[-1].interrupted)


if __name__ == "__main__":
    unittest.main()
