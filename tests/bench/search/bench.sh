#!/usr/bin/env bash
# `./dev bench search`: the searchers on the problems of this folder, beside their peers.
#   bench.sh                 ours on every problem, ten seeds; the tables with the peers' kept results
#   bench.sh --short         ours with three seeds (about 20 minutes on two cores)
#   bench.sh --peers NAME .. runs these peers instead and keeps their results in results/
# Peers live in environments of their own, build/bench-search/*, made when they are first needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
readonly here=tests/bench/search

environment() { # NAME -> its python
  local venv=build/bench-search/$1
  if [[ ! -f $venv/.complete ]]; then
    printf 'installing environment %s of the benchmark into %s\n' "$1" "$venv" >&2
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q -r "$here/peers/$1.txt"
    # HEBO runs on the torch and the GPyTorch of the first.
    if [[ $1 == c ]]; then
      realpath "$(dirname "$(environment a)")"/../lib/python3*/site-packages >"$(echo "$venv"/lib/python3*/site-packages)/from-a.pth"
    fi
    touch "$venv/.complete"
  fi
  echo "$venv/bin/python3"
}

run() { # ENVIRONMENT OPTIMIZER [arguments of run.py ...]
  local python
  python=$(environment "$1")
  "$python" "$here/run.py" --optimizer "${@:2}"
}

seeds=1-10
case "${1:-}" in
  --short) seeds=1-3 ;;
  --peers)
    shift
    for peer in "$@"; do
      run "$(cd "$here" && python3 -c "import optimizers; print(optimizers.OPTIMIZERS['$peer'][2])")" "$peer" --results "$here/results"
    done
    exit
    ;;
  "") ;;
  *)
    echo "unknown option $1; there are --short and --peers NAME ..." >&2
    exit 2
    ;;
esac
ours=build/bench-search/results
run b betatune --seeds "$seeds" --results "$ours" --again
"$(environment b)" "$here/report.py" --results "$here/results" "$ours" --per-problem
