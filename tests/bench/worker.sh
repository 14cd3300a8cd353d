#!/usr/bin/env bash
# Trials per second with one worker process each: optimizer, ZeroMQ, SQLite, agents, fork servers and the
# no-op plug-in, everything that a short trial costs.
set -euo pipefail
betatune=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '%-10s %10s %10s\n' trainers trials trials/s
for trainers in 1 2 4; do
  cat >"$work/study.yaml" <<YAML
version: 1
study: {name: spawn-$trainers, seed: 1}
objective: {metric: loss}
parameters:
  x: {type: float, min: 0, max: 1}
algorithm: {name: random}
stopping: {trials: 500}
trainer: {plugin: noop}
launcher: {name: local, trainers: $trainers}
storage: {path: $work/runs-$trainers}
YAML
  before=$(date +%s%N)
  "$betatune" run --quiet "$work/study.yaml" >/dev/null
  after=$(date +%s%N)
  printf '%-10s %10s %10s\n' "$trainers" 500 "$((500 * 1000000000 / (after - before)))"
done
