#!/usr/bin/env python3
"""Tables from what run.py kept.

  report.py [--results FOLDER ...] [--workers 1] [--budgets 3 10 30 100] [--half tune|held] [--problems NAME ...]
            [--optimizers NAME ...] [--ours betatune] [--lowest] [--per-problem]

Budgets are counted in full trainings. Normalised regret of a run: the regret of its incumbent's final loss over the
median regret of random search with full trainings at the same budget, at least 1e-4. Per problem the median over
seeds; over problems the geometric mean, the mean rank, and against ours wins, ties and losses: a win is a 95 %
interval of the paired mean log ratio (over the seeds both have) that leaves 1 out. The incumbent is the optimizer's
own, with --lowest the configuration with the lowest loss seen at any step for all.
"""

import argparse
import collections
import json
import math
import pathlib
import statistics
import sys

from problem import PROBLEMS
import problems as registered  # noqa: F401
from simulation import GRID

HERE = pathlib.Path(__file__).resolve().parent
FLOOR = 1e-4
# Student's t at 97.5 %, by degrees of freedom.
T = (math.nan, 12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def read(folders, workers):
    """{optimizer: {problem: {seed: run}}}"""
    runs = collections.defaultdict(lambda: collections.defaultdict(dict))
    for folder in folders:
        for path in sorted(folder.glob(f"*-w{workers}.jsonl")):
            for line in path.read_text().splitlines():
                run = json.loads(line)
                runs[path.stem.removesuffix(f"-w{workers}")][run["problem"]][run["seed"]] = run
    return runs


def geometric(values):
    return math.exp(statistics.fmean(math.log(v) for v in values)) if values else math.nan


def normalised(runs, problems, budget, column):
    """{optimizer: {problem: {seed: normalised regret}}}"""
    out = {name: collections.defaultdict(dict) for name in runs}
    for problem in problems:
        units = [r[column][budget] for r in runs["random"][problem].values() if budget in r[column]]
        if not units:
            continue
        unit = max(statistics.median(units), 1e-12)
        for name, of_problem in runs.items():
            for seed, run in of_problem.get(problem, {}).items():
                if budget in run[column]:
                    out[name][problem][seed] = max(run[column][budget] / unit, FLOOR)
    return out


def paired(ours, theirs):
    """'win', 'tie' or 'loss' of ours over the shared seeds."""
    seeds = sorted(set(ours) & set(theirs))
    if len(seeds) < 2:
        return "tie"
    logs = [math.log(ours[s] / theirs[s]) for s in seeds]
    mean, half = statistics.fmean(logs), T[min(len(seeds) - 1, 9)] * statistics.stdev(logs) / math.sqrt(len(seeds))
    return "win" if mean + half < 0 else "loss" if mean - half > 0 else "tie"


def row(cells):
    print("| " + " | ".join(cells) + " |")


def header(*cells):
    row(cells)
    print("|" + " --- |" * len(cells))


def summary(runs, scores, problems, ours):
    """The table of one budget; the medians {optimizer: {problem: regret}} of those who have every problem."""
    names = [n for n in scores if all(scores[n].get(p) for p in problems)]
    medians = {n: {p: statistics.median(scores[n][p].values()) for p in problems} for n in names}
    rank = {n: statistics.fmean(1 + sum(medians[m][p] < medians[n][p] for m in names)
                                + 0.5 * sum(medians[m][p] == medians[n][p] for m in names if m != n)
                                for p in problems) for n in names}
    header("optimizer", "version", "seeds", "regret / random's", "mean rank", "ours wins / ties / loses")
    for name in sorted(names, key=lambda n: geometric(list(medians[n].values()))):
        versus = ""
        if ours in names and name != ours:
            count = collections.Counter(paired(scores[ours][p], scores[name][p]) for p in problems)
            versus = f"{count['win']} / {count['tie']} / {count['loss']}"
        version = next(iter(runs[name][problems[0]].values()))["version"]
        seeds = min(len(scores[name][p]) for p in problems)
        row([name, version, str(seeds), f"{geometric(list(medians[name].values())):.4f}", f"{rank[name]:.2f}", versus])
    return medians


def per_problem(medians, problems):
    names = sorted(medians, key=lambda n: geometric(list(medians[n].values())))
    header("problem", *names)
    for p in problems:
        low = min(medians[n][p] for n in names)
        row([p] + [f"**{medians[n][p]:.3g}**" if medians[n][p] == low else f"{medians[n][p]:.3g}" for n in names])


def traces(runs, problem):
    """The median trace of a problem over its seeds."""
    columns = zip(*(run["trace"] for run in runs[problem].values()))
    return [statistics.median(column) for column in columns]


def early(runs, problems, ours, budget):
    """At which part of the budget ours first has what the best peer has at its end."""
    at, fractions = GRID.index(budget), []
    header("problem", f"best peer at {budget} R", "its regret", "ours has it at", "part")
    for p in problems:
        peers = {n: traces(r, p)[at] for n, r in runs.items() if n not in (ours, "random") and r.get(p)
                 and len(next(iter(r[p].values()))["trace"]) > at}
        if not peers:
            continue
        best = min(peers, key=peers.get)
        mine = traces(runs[ours], p)
        reached = next((GRID[i] for i, regret in enumerate(mine) if regret <= peers[best]), None)
        fractions.append((reached or 2 * GRID[len(mine) - 1]) / budget)
        row([p, best, f"{peers[best]:.3g}", f"{reached:g} R" if reached else f"not at {GRID[len(mine) - 1]:g} R",
             f"{fractions[-1]:.2f}"])
    print(f"\nGeometric mean: {geometric(fractions):.3f} (what was not reached counts as twice the whole budget).")


def utilisation(folders, optimizers):
    """Of the workers' time until the last checkpoint, the part in which they trained; and the clock's."""
    counts = sorted({int(path.stem.rpartition("-w")[2]) for folder in folders for path in folder.glob("*-w*.jsonl")})
    of = {w: read(folders, w) for w in counts}
    names = sorted({n for runs in of.values() for n in runs if not optimizers or n in optimizers})
    header("optimizer", *(f"W = {w}: used, lowest, time" for w in counts))
    for name in names:
        cells = []
        for w in counts:
            runs = [r for seeds in of[w].get(name, {}).values() for r in seeds.values()]
            used = [list(r["used"].values())[-1] for r in runs]
            time = [list(r["time"].values())[-1] for r in runs]
            cells.append(f"{statistics.fmean(used):.3f}, {min(used):.3f}, {geometric(time):.0f}" if runs else "")
        row([name, *cells])


def middle(regrets, budget):
    """The median of those who came so far."""
    known = [each[str(budget)] for each in regrets if str(budget) in each]
    return f"{statistics.median(known):.3g}" if known else "-"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=pathlib.Path, nargs="*", default=[HERE / "results"])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--budgets", type=int, nargs="*", default=[3, 10, 30, 100])
    parser.add_argument("--half", choices=["tune", "held"])
    parser.add_argument("--problems", nargs="*", default=[])
    parser.add_argument("--optimizers", nargs="*", default=[])
    parser.add_argument("--ours", default="betatune")
    parser.add_argument("--lowest", action="store_true")
    parser.add_argument("--per-problem", action="store_true")
    wanted = parser.parse_args()
    runs = read(wanted.results, wanted.workers)
    if wanted.optimizers:
        runs = {n: r for n, r in runs.items() if n in {*wanted.optimizers, "random", "one-epoch", wanted.ours}}
    base = runs.get(wanted.ours) or runs["random"]
    if "random" not in runs:
        sys.exit(f"no runs of random search, the unit, with {wanted.workers} workers: run.py --optimizer random")
    problems = [p for p, each in PROBLEMS.items() if base.get(p) and runs["random"].get(p)
                and wanted.half in (None, each.half) and (not wanted.problems or p in wanted.problems)]
    column = "lowest" if wanted.lowest else "regret"
    for budget in wanted.budgets:
        scores = normalised(runs, problems, str(budget), column)
        have = [p for p in problems if scores["random"].get(p)]
        print(f"\n### {budget} R, {wanted.workers} workers, {len(have)} problems\n")
        if not have:
            continue
        medians = summary(runs, scores, have, wanted.ours)
        if wanted.per_problem:
            print()
            per_problem(medians, have)
    if wanted.ours in runs:
        for budget in (b for b in wanted.budgets if b >= 30):
            print(f"\n### Epochs until ours has the best peer's regret after {budget} R\n")
            early(runs, problems, wanted.ours, budget)
        print("\n### Beside the one-epoch baseline: median regret, ours / its\n")
        header("problem", *(f"{b} R" for b in wanted.budgets))
        for p in (p for p in problems if runs.get("one-epoch", {}).get(p)):
            reached = {n: [r[column] for r in runs[n][p].values()] for n in (wanted.ours, "one-epoch")}
            row([p] + [" / ".join(middle(reached[n], b) for n in reached) for b in wanted.budgets])
    print("\n### How far the workers were used until the end of the budget\n")
    utilisation(wanted.results, wanted.optimizers)


if __name__ == "__main__":
    main()
