#pragma once
/// What a user sees while a study runs: a live block on a terminal, a line per event elsewhere, or
/// JSON events on stdout.

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "optimizer/server.hpp"

namespace betatune {

enum class ProgressKind { quiet, lines, block, json };

/// block on a terminal that can (stderr is one, TERM is not dumb), lines otherwise.
ProgressKind progress_kind(bool json, bool quiet);

std::unique_ptr<ServerObserver> make_progress(ProgressKind kind, const StudySpec& spec);

/// The trial's objective as the user states it (negated back for `maximize`).
double objective_value(const StudySpec& spec, double loss);

}  // namespace betatune
