#pragma once
/// Asks the scheduler again for everything that it decided in a log: who went on to which step, how
/// far new trials were trained, who was stopped, how many ranks an attempt got. What comes out
/// proves that rungs and brackets follow from the log alone, whatever was killed on the way.

#include <optional>
#include <string>

#include "optimizer/replay.hpp"

namespace betatune {

/// Where the log says something else than the scheduler.
struct DecisionDifference {
  TrialId trial;
  AttemptId attempt;
  std::string recorded, recomputed;  ///< "go on to step 9"
};

struct DecisionVerification {
  std::int64_t verified = 0;
  std::int64_t differing = 0;
  std::optional<DecisionDifference> first;
};

/// Replays the log up to `last`. Errors: the store's, corrupt, invalid_argument.
Result<DecisionVerification> verify_decisions(const StudyStore& store, Sequence last,
                                              const SpecOfDocument& spec_of = spec_of_document);

}  // namespace betatune
