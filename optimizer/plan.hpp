#pragma once
/// What the coordinator asks its searcher with. Together with the event that a plan was made at
/// (PlanBasis) it says everything that a suggestion follows from, so that a replay asks the same.

#include <cstdint>
#include <deque>

#include "configs/study_spec.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// The key of plan number `plan` of a study with that seed.
Key plan_key(std::uint64_t seed, std::uint64_t plan);

/// What is tried before anything is suggested: the points of the study file; if it names none, the
/// default configuration, where every parameter has a default.
std::deque<Configuration> initial_points(const StudySpec& spec);

}  // namespace betatune
