#!/usr/bin/env bash
# `./dev bench fidelity`: schedulers and searchers on learning curves, beside their peers.
#   bench.sh                 ours on every problem, ten seeds, with 1, 8, 64 and 256 workers; the tables with the
#                            peers' kept results
#   bench.sh --short         ours with three seeds and one worker (some minutes)
#   bench.sh --peers NAME .. runs these peers instead and keeps their results in results/
# Peers live in environments of their own, build/bench-venv-fidelity-*, made when they are first needed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
readonly here=tests/bench/fidelity

environment() { # NAME -> its python
  local venv=build/bench-venv-fidelity-$1
  if [[ ! -f $venv/.complete ]]; then
    printf 'installing environment %s of the benchmark into %s\n' "$1" "$venv" >&2
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q -r "$here/peers/$1.txt"
    touch "$venv/.complete"
  fi
  echo "$venv/bin/python3"
}

run() { # ENVIRONMENT OPTIMIZER [arguments of run.py ...]
  local python
  python=$(environment "$1")
  "$python" "$here/run.py" --optimizer "${@:2}"
}

described() { # OPTIMIZER FIELD, of the list in optimizers/__init__.py
  (cd "$here" && python3 -c "import optimizers; print(optimizers.OPTIMIZERS['$1'][$2])")
}

seeds=1-10
workers=(1 8 64 256)
case "${1:-}" in
  --short)
    seeds=1-3
    workers=(1)
    ;;
  --peers)
    shift
    for peer in "$@"; do
      counts=(1)
      [[ $(described "$peer" 3) == True ]] && counts=("${workers[@]}")
      for count in "${counts[@]}"; do
        run "$(described "$peer" 2)" "$peer" --workers "$count" --results "$here/results"
      done
    done
    exit
    ;;
  "") ;;
  *)
    echo "unknown option $1; there are --short and --peers NAME ..." >&2
    exit 2
    ;;
esac
ours=build/bench-fidelity/results
for count in "${workers[@]}"; do
  run a betatune --seeds "$seeds" --workers "$count" --results "$ours" --again
done
for count in "${workers[@]}"; do
  "$(environment a)" "$here/report.py" --results "$here/results" "$ours" --workers "$count" --per-problem
done
