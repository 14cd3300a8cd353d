#pragma once
/// When nothing more is to be expected of a search (`stopping.no_gain`): what searchers promised of
/// their trials is in the log, as the notes of their TrialCreated.

#include <optional>

#include "configs/study_spec.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {

/// By how much the trial was expected to lower the loss when it was suggested; nothing if whoever
/// suggested it expected nothing in particular.
std::optional<double> promised_gain(const Trial& trial);

/// Whether the last `rule.trials` trials of which something was promised were promised less than
/// `rule.below` each.
bool promises_no_gain(const TrialTable& trials, const NoGainSpec& rule);

}  // namespace betatune
