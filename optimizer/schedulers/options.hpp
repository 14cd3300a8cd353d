#pragma once
/// What the schedulers' makers share: the checks of options that most have.

#include "optimizer/scheduler.hpp"

namespace betatune {

/// Of schedulers that have no others.
struct EtaOptions {
  double eta = 3;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("eta", &EtaOptions::eta, "One in eta goes on at each rung; 3 or 4.")};
  }
};

/// The mark of an option, or of the whole mapping if it was not written.
const Mark& option_mark(const ConfigNode& node, const char* key);

/// Errors: eta must be above 1, by as much as makes rungs differ, and no more than anybody means.
bool check_eta(double eta, const ConfigNode& node, Diagnostics& diagnostics);
/// Errors: the scheduler compares trials before their end, so the study needs a `fidelity`.
bool check_fidelity(const char* name, const StudySpec& spec, const ConfigNode& node,
                    Diagnostics& diagnostics);
/// Errors: full training is one step, so there is nothing before its end.
bool check_steps(const char* name, const FidelitySpec& fidelity, const ConfigNode& node,
                 Diagnostics& diagnostics);
/// Errors: the scheduler compares trials by one number, but the study has several objectives.
bool check_one_objective(const char* name, const StudySpec& spec, const ConfigNode& node,
                         Diagnostics& diagnostics);

}  // namespace betatune
