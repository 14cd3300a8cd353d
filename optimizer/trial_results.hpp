#pragma once
/// What a trial has reported, and how it stands by the outcome constraints: part of the fold.

#include "optimizer/study_state.hpp"

namespace betatune {

/// Takes a report up into the trial's curve, in the order of steps. trial.outcomes must be those of
/// the report.
void observe(Trial& trial, const Reported& fact, std::int64_t at_us);

/// Where trials can have several widths, and this report says how fast it trained.
void measure_rate(StudyState& state, const Trial& trial, const Reported& fact);

/// Reads the outcomes anew from the metrics that the trial has.
void judge(Trial& trial, const Outcomes& outcomes);

/// All trials, under other outcome constraints. Of the metrics of earlier steps only the log knows:
/// those steps count as not known.
void judge_again(StudyState& state);

}  // namespace betatune
