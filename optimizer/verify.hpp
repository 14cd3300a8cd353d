#pragma once
/// Asks the searcher again for every suggestion of a log and compares, bit for bit. What comes out
/// proves that the study is what this program makes of its results: no trial was put in by another
/// hand, no result was changed since a suggestion was made from it, and nothing but the log was
/// ever asked.

#include <optional>
#include <string>

#include "optimizer/replay.hpp"

namespace betatune {

/// Where a suggestion is not what the searcher answers.
struct Difference {
  TrialId trial;
  std::uint64_t plan = 0;
  std::string what;  ///< name of the parameter; or origin, note, suggestion
  bool parameter = false;
  std::string recorded, recomputed;  ///< numbers exactly, as hexadecimal floats
};

struct Verification {
  std::int64_t verified = 0;
  std::int64_t differing = 0;
  std::optional<Difference> first;  ///< in the order of the plans
};

/// The first difference between a recorded trial and the answers to its plan, if there is one.
std::optional<Difference> difference_of(const TrialCreated& recorded,
                                        const std::vector<Suggestion>& answers);

/// Replays the log up to ledger.events. Errors: the store's, corrupt, invalid_argument.
Result<Verification> verify(const StudyStore& store, const PlanLedger& ledger,
                            const SpecOfDocument& spec_of = spec_of_document);

}  // namespace betatune
