#pragma once
/// What schedulers decided at rungs, as `betatune watch` and `betatune explain` tell of it.

#include <string>

#include "optimizer/cli/output.hpp"
#include "optimizer/decisions.hpp"

namespace betatune {

/// "trial 3 went on from epoch 1 to 3: 2nd of 9, the best 3 go on (loss = 0.42 or better)"
std::string decision_text(const RungDecision& decision, const Objective& objective);
/// {"schema": "betatune.decision/1", ...}
Json decision_json(const RungDecision& decision, const Objective& objective);

/// A table with a row for each; empty if there are none.
std::string decisions_text(const TrialDecisions& decisions, const Objective& objective);
Json decisions_json(const TrialDecisions& decisions, const Objective& objective);

}  // namespace betatune
