#pragma once
/// The schedule of configurations that a trial was trained with, where trials begin as copies of
/// others (`pbt`): a configuration belongs to a trial, so the way to the best model is a way from
/// trial to trial.

#include <string>
#include <vector>

#include "optimizer/stores/study_reader.hpp"

namespace betatune {

/// The steps that one configuration trained.
struct Stretch {
  Step from = 0;   ///< behind it; 0: from nothing
  Step until = 0;  ///< up to it
  TrialRow trial;
};

/// Oldest first; the last one is `last` itself. One alone, where it is no copy. Errors: corrupt.
Result<std::vector<Stretch>> read_schedule(StudyReader& reader, TrialRow last);

Json schedule_json(const std::vector<Stretch>& schedule);

/// A line for each stretch, with the values that change on the way; nothing where there is one
/// alone. `step`: what one is called.
std::string schedule_text(const std::vector<Stretch>& schedule, const std::string& step);

}  // namespace betatune
