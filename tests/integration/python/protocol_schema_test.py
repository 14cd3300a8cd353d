#!/usr/bin/env python3
"""`betatune schema --protocol`, and that what the Python client says fits it."""

import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import study_process as support  # noqa: E402
from betatune import _wire  # noqa: E402
from betatune._agent import Agent  # noqa: E402
from betatune._work import Key, Send  # noqa: E402

TYPES = {"integer": int, "string": str, "boolean": bool, "array": list, "object": dict, "number": (int, float)}


def problems(value, schema, at):
    """What the schema does not allow; of the keywords that this schema uses. Unknown keys count: a sender has none."""
    if "anyOf" in schema:
        return [] if any(not problems(value, each, at) for each in schema["anyOf"]) else [f"{at}: no form fits"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not one of {schema['enum']}")
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return found + [f"{at}: {value!r} is not {schema['type']}"]
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{at}: {value} is out of bounds")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{at}: {value!r} does not match")
    for each in value if isinstance(value, list) else []:
        found += problems(each, schema["items"], at + "[]")
    if isinstance(value, dict):
        found += [f"{at}: lacks {name}" for name in schema.get("required", []) if name not in value]
        for name, each in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            found += problems(each, inner, f"{at}.{name}") if isinstance(inner, dict) else [f"{at}: unknown {name}"]
    return found


class ProtocolSchema(unittest.TestCase):
    def setUp(self):
        said = subprocess.run([support.BETATUNE, "schema", "--protocol"], capture_output=True, check=True)
        self.definitions = json.loads(said.stdout)["$defs"]

    def test_has_every_verb_and_the_objects_inside(self):
        verbs = {name for name, each in self.definitions.items() if "x-direction" in each}

        self.assertEqual(verbs, {"HELLO", "WELCOME", "READY", "ASSIGN", "REPORT", "ACK", "DECISION", "DONE", "BEAT",
                                 "BYE", "ERROR", "PUT", "STORED", "GET", "DATA"})
        self.assertEqual(set(self.definitions) - verbs, {"Held", "TrainerJob", "ArtifactRef"})

    def test_what_the_client_says_fits(self):
        agent, key = Agent("me", slots=1), Key(0, 1)
        assign = {"trial": 0, "attempt": 1, "epoch": 1, "params": {}, "from": 0, "until": 2, "seed": 1, "job": {}}
        artifact = {"uri": "checkpoints/trial-0/attempt-1-step-1", "step": 1, "bytes": 3}
        effects = agent.connected(0.0)
        effects += agent.received("WELCOME", {"epoch": 1, "beat_ms": 100, "lease_ms": 1000}, 0.0)
        agent.received("ASSIGN", assign, 0.0)
        effects += agent.reported(key, 1, {"loss": float("nan"), "more": 2.0}, artifact, 0.1)
        effects += agent.tick(0.2) + agent.ended(key, "failed", 0.3, "oom", "no room")
        effects += agent.drain("enough", 0.4)

        said = [each for each in effects if isinstance(each, Send)]
        for each in said:
            body = json.loads(_wire.encode(each.verb, each.body)[2])
            self.assertEqual(problems(body, self.definitions[each.verb], each.verb), [])
        self.assertEqual({each.verb for each in said}, {"HELLO", "READY", "REPORT", "BEAT", "DONE", "BYE"})

    def test_the_check_sees_what_is_wrong(self):
        report = {"trial": 0, "attempt": 0, "seq": 1, "step": 1, "metrics": {"loss": "nan"}, "stepp": 1}

        self.assertEqual(len(problems(report, self.definitions["REPORT"], "REPORT")), 3)


if __name__ == "__main__":
    unittest.main()
