#!/usr/bin/env python3
"""Tables from what run.py kept.

  report.py [--results FOLDER ...] [--parallel 1] [--budgets 25 50 100] [--half tune|held] [--kind KIND ...]
            [--optimizers NAME ...] [--ours betatune] [--per-problem]

Normalised regret of a run: its regret over the median regret of random search on the same problem at the same
budget (or a hundredth of that after 10 trials, where it found the best there is), at least 1e-5. Per problem the
median over seeds; over problems the geometric mean, the mean rank, and against ours wins, ties and losses: a win
is a 95 % interval of the paired mean log ratio (over the seeds both have) that leaves 1 out.
"""

import argparse
import collections
import json
import math
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
FLOOR = 1e-5


def read(folders, parallel):
    """{optimizer: {(problem, seed): {trials: regret}}}, and versions."""
    runs, versions = collections.defaultdict(dict), {}
    for folder in folders:
        for path in sorted(folder.glob("*.jsonl")):
            for line in path.read_text().splitlines():
                run = json.loads(line)
                if run["q"] != parallel:
                    continue
                name = path.stem.removesuffix(f"-q{parallel}")
                runs[name][run["problem"], run["seed"]] = {int(k): v for k, v in run["regret"].items()}
                versions[name] = run["version"]
    return runs, versions


def subtract_best_known(runs, unknown):
    """Where nobody knows the minimum, the lowest loss of any run of the instance stands for it."""
    lowest = collections.defaultdict(lambda: math.inf)
    for each in runs.values():
        for key, regret in each.items():
            if key[0] in unknown:
                lowest[key] = min(lowest[key], *regret.values())
    for each in runs.values():
        for key, regret in each.items():
            if key[0] in unknown:
                each[key] = {k: v - lowest[key] for k, v in regret.items()}


def normalised(runs, budget, problems):
    """{optimizer: {problem: {seed: normalised regret}}}"""
    out = collections.defaultdict(lambda: collections.defaultdict(dict))
    for problem in problems:
        of_random = [r[budget] for (p, _), r in runs["random"].items() if p == problem and budget in r]
        if not of_random:
            continue
        early = [r[10] for (p, _), r in runs["random"].items() if p == problem and 10 in r]
        # Where random search finds the best there is, its regret is no unit.
        scale = max(np.median(of_random), 0.01 * np.median(early or of_random), 1e-12)
        for name, each in runs.items():
            for (p, seed), regret in each.items():
                if p == problem and budget in regret:
                    out[name][problem][seed] = max(regret[budget] / scale, FLOOR)
    return out


# Student's t at 97.5 %, by degrees of freedom.
T = (math.nan, 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def paired(ours, theirs):
    """'win', 'tie' or 'loss' of ours, and the ratio of geometric means over the shared seeds."""
    seeds = sorted(set(ours) & set(theirs))
    if len(seeds) < 2:
        return "tie", math.nan
    logs = np.log([ours[s] / theirs[s] for s in seeds])
    half = T[min(len(seeds) - 1, 9)] * logs.std(ddof=1) / math.sqrt(len(seeds))
    verdict = "win" if logs.mean() + half < 0 else "loss" if logs.mean() - half > 0 else "tie"
    return verdict, math.exp(logs.mean())


def table(scores, problems, ours):
    names = [n for n in scores if all(p in scores[n] for p in problems)]
    medians = {n: {p: float(np.median(list(scores[n][p].values()))) for p in problems} for n in names}
    ranks = {n: [] for n in names}
    for p in problems:
        values = np.array([medians[n][p] for n in names])
        for n in names:
            mine = medians[n][p]
            ranks[n].append(1 + (values < mine).sum() + 0.5 * ((values == mine).sum() - 1))
    rows = []
    for n in names:
        counts = collections.Counter(paired(scores[ours][p], scores[n][p])[0] for p in problems) if ours in scores else {}
        rows.append((math.exp(np.mean(np.log(list(medians[n].values())))), n, np.mean(ranks[n]), counts))
    return sorted(rows), medians


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=pathlib.Path, nargs="*", default=[HERE / "results"])
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--budgets", type=int, nargs="*", default=[25, 50, 100])
    parser.add_argument("--half", choices=["tune", "held"])
    parser.add_argument("--kind", nargs="*", default=[])
    parser.add_argument("--optimizers", nargs="*", default=[])
    parser.add_argument("--ours", default="betatune")
    parser.add_argument("--per-problem", action="store_true")
    wanted = parser.parse_args()
    known = json.loads((HERE / "problems.json").read_text())
    runs, versions = read(wanted.results, wanted.parallel)
    subtract_best_known(runs, {n for n, p in known.items() if not p["minimum_known"]})
    if wanted.optimizers:
        runs = {n: r for n, r in runs.items() if n in {*wanted.optimizers, "random", wanted.ours}}
    for budget in wanted.budgets:
        chosen = [n for n, p in known.items() if (not wanted.half or p["half"] == wanted.half)
                  and (not wanted.kind or p["kind"] in wanted.kind)]
        scores = normalised(runs, budget, chosen)
        full = [p for p in chosen if p in scores.get(wanted.ours, {}) and p in scores["random"]]
        rows, medians = table(scores, full, wanted.ours)
        print(f"\n### {budget} trials, q = {wanted.parallel}, {len(full)} problems\n")
        print("| optimizer | version | seeds | regret / random's | mean rank | ours wins / ties / loses |\n|" + " --- |" * 6)
        for mean, name, rank, counts in rows:
            versus = "" if name == wanted.ours or not counts else f"{counts['win']} / {counts['tie']} / {counts['loss']}"
            seeds = min(len(scores[name][p]) for p in full)
            print(f"| {name} | {versions[name]} | {seeds} | {mean:.4f} | {rank:.2f} | {versus} |")
        if wanted.per_problem:
            names = [name for _, name, _, _ in rows]
            print("\n| problem | kind | half | " + " | ".join(names) + " |\n|" + " --- |" * (len(names) + 3))
            for p in sorted(full, key=lambda each: (known[each]["kind"], each)):
                low = min(medians[n][p] for n in names)
                cells = [f"**{medians[n][p]:.3g}**" if medians[n][p] == low else f"{medians[n][p]:.3g}" for n in names]
                print(f"| {p} | {known[p]['kind']} | {known[p]['half']} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
