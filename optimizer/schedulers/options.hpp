#pragma once
/// What the schedulers' makers share: reading options, and the checks of those that most have.

#include "optimizer/scheduler.hpp"

namespace betatune {

/// Where options stand in a study file; the beginning of every message about them.
inline constexpr const char* kSchedulerPath = "algorithm.scheduler";

/// Reads a described struct; no options at all are fine.
template <class T>
bool read_scheduler_options(const ConfigNode& node, Diagnostics& diagnostics, T& options) {
  return node.is_null() || read_config(node, kSchedulerPath, diagnostics, options);
}

/// The mark of an option, or of the whole mapping if it was not written.
const Mark& option_mark(const ConfigNode& node, const char* key);

/// Errors: eta must be above 1, and finite.
bool check_eta(double eta, const ConfigNode& node, Diagnostics& diagnostics);
/// Errors: the scheduler compares trials before their end, so the study needs a `fidelity`.
bool check_fidelity(const char* name, const StudySpec& spec, const ConfigNode& node,
                    Diagnostics& diagnostics);

}  // namespace betatune
