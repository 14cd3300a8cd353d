#pragma once
/// What trials count for when they are compared, and which of them is best. Trials that train one
/// configuration again count together, as the first of them.

#include <vector>

#include "optimizer/repeated.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {

/// What the last attempt of a trial came to, where it ended in order.
std::optional<Standing> result_of(const StudyState& state, const Trial& trial);
/// The trial's own result is this now; what follows from it for the study is updated.
void set_result(StudyState& state, TrialId id, std::optional<Standing> result);
/// The trial has become one of a group of repeats, or has closed.
void update_standing(StudyState& state, TrialId id);
/// Results count for something else: all are taken again.
void update_all_standings(StudyState& state);

/// The trials whose results a standing is the mean of: this one alone, all that train its
/// configuration in the search, or those that confirm it; of them, those at the highest level.
std::vector<TrialId> trials_behind(const TrialTable& trials, const Trial& trial);
/// Their losses.
Repeated repeated_result(const TrialTable& trials, const Trial& trial);
/// The first `count` trials by what the search found, without what confirmed them; none that breaks
/// limits if any meets them.
std::vector<TrialId> best_of_search(const StudyState& state, std::size_t count);

}  // namespace betatune
