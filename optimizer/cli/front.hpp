#pragma once
/// The front of a recorded study with several objectives, as reading commands show it.

#include <vector>

#include "optimizer/cli/output.hpp"
#include "optimizer/pareto/study_front.hpp"

namespace betatune {

struct ShownFront {
  struct Member {
    TrialRow trial;
    std::vector<double> losses;  ///< all objectives, to be minimised
  };
  std::vector<Member> members;
  StudyFront front;  ///< its members are those, in their order
};

/// Of the trials that are completed and meet all outcome constraints. Errors: the reader's.
Result<ShownFront> read_front(StudyReader& reader, const Objective& objective);

/// {"hypervolume", "reference", "trials"}: what `best` and `status` tell of it.
Json front_json(const ShownFront& shown, const Objective& objective);
/// "20 trials that no other one beats in everything, hypervolume 6.73"
std::string front_summary(const StudyFront& front);
/// A table of the members, by the first objective.
std::string front_table(const ShownFront& shown, const Objective& objective);

}  // namespace betatune
