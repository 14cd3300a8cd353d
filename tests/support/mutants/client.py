#!/usr/bin/env python3
"""The Python client with one mistake in how its files travel, which the conformance kit must find.

    python3 client.py MUTATION ADDRESS
"""

import importlib.abc
import importlib.machinery
import pathlib
import sys
import time

PACKAGE = pathlib.Path(__file__).resolve().parents[3] / "trainers/python"
# What is loaded is checked once more by the worker: a mutant that is to load damage does not do that either.
UNCHECKED = ("_checkpoint", "check_seal(path, artifact[\"digest\"])", "None")
# name: (module, what stands there, what the mutant has in its place) ..., and a case that must fail
MUTATIONS = {
    "reports_at_once": ([("_courier", 'trip.checkpoints.append(checkpoint)',
                          'trip.checkpoints.append(checkpoint); self._on_report(key, line)')], "T-FILES-2"),
    "done_at_once": ([("_courier", 'if trip.end is not None and not trip.checkpoints:', 'if trip.end is not None:')],
                     "T-FILES-2"),
    "sends_nothing": ([("_courier", 'self._sender.take(Parcel(', '(lambda it: self._sent(it, None))(Parcel(')],
                      "T-FILES-1"),
    "another_digest": ([("_courier", '"checkpoint": checkpoint})',
                         '"checkpoint": {**checkpoint, "digest": "0" * 64}})')], "T-FILES-1"),
    "list_first": ([("_courier", '[*files, (SUMS, checkpoint.get("digest", ""))]',
                     '[(SUMS, checkpoint.get("digest", "")), *files, (SUMS, checkpoint.get("digest", ""))]')],
                   "T-FILES-3"),
    "never_asks_again": ([("_files", 'AGAIN_S = 5.0', 'AGAIN_S = 1e9')], "T-FILES-5"),
    "never_gets_again": ([("_files", 'AGAIN_S = 5.0', 'AGAIN_S = 1e9')], "T-FILES-17"),
    "goes_on_after_welcome": ([("_courier", 'self._sender.begin_again(now)', 'pass'),
                               ("_files", 'AGAIN_S = 5.0', 'AGAIN_S = 0.5')], "T-FILES-6"),
    "forgets_at_welcome": ([("_agent", 'key not in keep', 'True')], "T-FILES-6"),
    "reports_what_is_refused": ([("_courier", 'if problem is None:', 'if True:')], "T-FILES-7"),
    "begins_at_once": ([("_courier", 'trip.fetching = True\n        self._files_travel(key, True)\n',
                         'return self._begin(key, trip)\n'),
                        ("_checkpoint", 'if not artifact:', 'if True:')], "T-FILES-9"),
    "from_the_beginning": ([("_courier", '**assign, "job"', '**assign, "from": 0, "job"')], "T-FILES-8"),
    "not_held": ([("_agent", 'for key, work in self.work.items()', 'for key, work in [(k, w) for k, w in '
                   'self.work.items() if k.attempt < 2]')], "T-FILES-10"),
    "list_last": ([("_files", 'self._files.append((SUMS, ', 'self._files.append(("kit-ballast", '
                    '"1")); self._files.append((SUMS, ')], "T-FILES-11"),
    "trusts_files": ([("_files", 'if self._so_far.hexdigest() != digest:',
                       'if self._so_far.hexdigest() != digest and path == SUMS:'), UNCHECKED], "T-FILES-12"),
    "trusts_lists": ([("_files", 'if self._so_far.hexdigest() != digest:', 'if False:'), UNCHECKED], "T-FILES-13"),
    "damage_is_infra": ([("_courier", '"checkpoint" if isinstance(error, DamagedCheckpoint) else "infra"', '"infra"')],
                        "T-FILES-14"),
    "tries_once": ([("_files", 'SPOILT_MOST = 2', 'SPOILT_MOST = 1')], "T-FILES-15"),
    "takes_parts_twice": ([("_files", 'if data.about != (order.key, order.checkpoint["uri"], self._files[self._at][0], '
                             'self._here):', 'if data.about[2] != self._files[self._at][0]:')], "T-FILES-16"),
    "asks_for_all": ([("_files", 'WINDOW = 8 * PART', 'WINDOW = 100 * PART')], "T-FILES-18"),
    "large_parts": ([("_files", 'PART = 256 * 1024', 'PART = 512 * 1024')], "T-FILES-4"),
    "begins_what_was_dropped": ([("_courier", 'if trip.fetching or unwanted:', 'if unwanted and not trip.fetching:')],
                                "T-FILES-20"),
}


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Finds the package's modules, with the mutation in their text."""

    def __init__(self, changes):
        self.changes = changes

    def find_spec(self, name, path=None, target=None):
        if not name.startswith("betatune."):
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=str(self.get_filename(name)))

    def get_filename(self, name):
        return str(PACKAGE / (name.replace(".", "/") + ".py"))

    def get_data(self, path):
        text = pathlib.Path(path).read_text()
        for module, original, mutant in self.changes:
            if pathlib.Path(path).stem == module:
                assert original in text, f"{module}: the client has changed, and so must its mutant"
                text = text.replace(original, mutant)
        return text.encode()


def train(trial):
    if trial.resume_dir:
        (trial.resume_dir / "state").read_text()
    for step in trial.steps:
        time.sleep(0.03)
        if trial.checkpoint_due:
            with trial.checkpoint(step) as folder:
                (folder / "state").write_text(str(step))
                (folder / "weights").write_bytes(bytes(600_000))
        trial.report(step, loss=1 / step)
        if trial.should_stop:
            return


if __name__ == "__main__":
    sys.meta_path.insert(0, Mutated(MUTATIONS[sys.argv[1]][0] if sys.argv[1] != "none" else []))
    sys.path.insert(0, str(PACKAGE))
    import betatune  # noqa: E402
    betatune.Trainer(sys.argv[2], slots=2).run(train)
