#!/usr/bin/env bash
# Prints the benchmark tables; called by `./dev bench`, which has built everything and installed the
# packages. Peers live in an environment of their own, build/bench-venv, made at the first use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly all=(cli store coordinator service transport files worker gp tpe curves population torch)
readonly bin=build/bin

say() { printf '\n== %s\n' "$*"; }

target() { ninja -C build "$1" >/dev/null; }

# environment FOLDER PACKAGE...: the interpreter of an environment with these packages.
environment() {
  local venv=$1
  if [[ ! -x $venv/bin/python3 || ! -f $venv/.complete ]]; then
    printf 'installing the peers into %s (some are large)\n' "$venv" >&2
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q "${@:2}"
    touch "$venv/.complete"
  fi
  echo "$venv/bin/python3"
}

# The peers, pinned: a ratio is only worth something with the version beside it.
peers() { environment build/bench-venv optuna==5.0.0 scipy torch; }

# Dask and Ray, which are no searchers, in an environment of their own.
service_peers() { environment build/bench-service-venv optuna==5.0.0 distributed==2026.8.0 'ray[tune]==2.60.0'; }

bench_cli() {
  say "command line: start-up and reading commands"
  tests/bench/cli.sh "$bin/betatune"
}
bench_store() {
  say "store: appends, resume and status of a large study"
  target bench_store && "$bin/bench_store"
}
bench_coordinator() {
  say "coordinator: steps per second without I/O, in a study of 100,000 trials"
  target bench_coordinator_steps && "$bin/bench_coordinator_steps"
}
bench_service() {
  say "service: durable trials per second, ZeroMQ + SQLite, 64 slots"
  target bench_service_throughput && "$bin/bench_service_throughput"
  say "and trials that compute nothing through what others have"
  "$(service_peers)" tests/bench/service_peers.py
}
bench_transport() {
  say "transport: 1,000 and 3,000 trainers at 1,000 reports per second, beside libzmq without any work"
  target bench_transport_load && "$bin/bench_transport_load"
}
bench_files() {
  say "checkpoints: with the study's folder shared, and over the connection"
  tests/bench/travelling_files.py "$bin"
  say "and the longest time without a beat of the trainer meanwhile"
  target bench_travelling_pause && "$bin/bench_travelling_pause"
}
bench_worker() {
  say "trainer: one worker process per trial"
  tests/bench/worker.sh "$bin/betatune"
}
bench_gp() {
  say "GP ask at d = 10, one thread, beside Optuna's GPSampler"
  target bench_gp_ask && "$(peers)" tests/bench/gp_vs_optuna.py "$bin/bench_gp_ask"
}
bench_search() {
  tests/bench/search/bench.sh "$@"
}
bench_fidelity() {
  tests/bench/fidelity/bench.sh "$@"
}
bench_distributed() {
  tests/bench/distributed/bench.sh "$@"
}
bench_tpe() {
  say "TPE ask at d = 10, one thread, beside Optuna's TPESampler"
  target bench_tpe_ask && "$(peers)" tests/bench/tpe_vs_optuna.py "$bin/bench_tpe_ask"
}
bench_curves() {
  say "learning curves: ms of CPU for n trials: what they will end in, a decision of freeze-thaw, an ask of auto"
  target bench_curves && "$bin/bench_curves"
}
bench_population() {
  say "population-based training: copies at random beside PB2, 20 seeds"
  target bench_population && "$bin/bench_population"
}
bench_torch() {
  say "classifier: training step, C++ beside Python on the same libtorch"
  target bench_torch_step && /usr/bin/python3 tests/bench/torch_step.py "$bin/bench_torch_step"
}

# The long ones are not among all of them, and have options of their own.
if [[ ${1:-} == search || ${1:-} == fidelity || ${1:-} == distributed ]]; then
  "bench_$1" "${@:2}"
  exit
fi
chosen=("$@")
((${#chosen[@]})) || chosen=("${all[@]}")
for name in "${chosen[@]}"; do
  if ! declare -F "bench_$name" >/dev/null; then
    echo "unknown benchmark '$name'; there are: ${all[*]} search fidelity distributed" >&2
    exit 2
  fi
  "bench_$name"
done
