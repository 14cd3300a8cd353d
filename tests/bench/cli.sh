#!/usr/bin/env bash
# Start-up times of the command line: median of 11 runs each, in milliseconds.
set -euo pipefail
betatune=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

median_ms() {
  local -a times=()
  local before after
  for _ in 1 2 3 4 5 6 7 8 9 10 11; do
    before=$(date +%s%N)
    "$@" >/dev/null 2>&1 </dev/null || true
    after=$(date +%s%N)
    times+=($(((after - before) / 1000)))
  done
  printf '%s\n' "${times[@]}" | sort -n | sed -n 6p | awk '{printf "%.1f", $1 / 1000}'
}

printf '%-32s %10s\n' command 'median ms'
printf '%-32s %10s\n' 'betatune --help' "$(median_ms "$betatune" --help)"
printf '%-32s %10s\n' 'betatune check (branin)' "$(median_ms "$betatune" check configs/branin.yaml)"
printf '%-32s %10s\n' 'betatune ask-tell, one ask' "$(median_ms sh -c "echo '{\"ask\": 1}' | '$betatune' ask-tell --memory configs/branin.yaml")"
printf '%-32s %10s\n' 'python3 -c pass (for scale)' "$(median_ms python3 -c pass)"
