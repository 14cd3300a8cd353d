#pragma once
/// The rungs of a study as `betatune status` and `betatune show` tell of them.

#include <optional>
#include <string>

#include "optimizer/cli/output.hpp"
#include "optimizer/rung_table.hpp"

namespace betatune {

/// 1st, 2nd, 3rd, 4th ... 11th, 21st
std::string ordinal(std::size_t number);

/// Nothing if its scheduler has none, or is not of this version. Errors: the store's.
Result<std::optional<RungTable>> read_rungs(StudyReader& reader, const StudySummary& study);

/// A table with a line per rung.
std::string rungs_text(const RungTable& rungs, const Objective& objective);
Json rungs_json(const RungTable& rungs, const Objective& objective);

/// "epoch 3: 2nd of 27, went on"
std::string visit_text(const RungVisit& visit, const RungTable& rungs, const TrialRow& trial,
                       const Objective& objective);
Json visits_json(const RungTable& rungs, const TrialRow& trial, const Objective& objective);

}  // namespace betatune
