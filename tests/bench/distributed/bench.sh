#!/usr/bin/env bash
# `./dev bench distributed`: data-parallel training steps beside PyTorch's, on two ranks.
#   bench.sh            beside Debian's PyTorch, which computes with the same libtorch
#   bench.sh --short    two rounds, and nothing compressed
#   bench.sh --pypi     also beside PyPI's (an environment of 5 GB, build/bench-venv-distributed)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
readonly here=tests/bench/distributed

pythons=(/usr/bin/python3)
options=()
case "${1:-}" in
  --pypi)
    venv=build/bench-venv-distributed
    if [[ ! -f $venv/.complete ]]; then
      printf 'installing PyTorch from PyPI into %s (5 GB)\n' "$venv" >&2
      python3 -m venv "$venv"
      "$venv/bin/pip" install -q -r "$here/peers.txt"
      touch "$venv/.complete"
    fi
    pythons+=("$venv/bin/python3")
    ;;
  --short) options=(--short) ;;
  "") ;;
  *)
    echo "unknown option $1; there are --short and --pypi" >&2
    exit 2
    ;;
esac
ninja -C build bench_distributed >/dev/null
exec python3 "$here/bench.py" "${options[@]}" build/bin/bench_distributed "${pythons[@]}"
