#pragma once
/// The rungs of a study as `betatune status` and `betatune show` tell of them.

#include <map>
#include <optional>
#include <string>

#include "optimizer/cli/output.hpp"
#include "optimizer/rung_table.hpp"

namespace betatune {

/// 1st, 2nd, 3rd, 4th ... 11th, 21st
std::string ordinal(std::size_t number);

/// Of the scheduler of the study's document; without rungs if it has none, or is not of this
/// version.
RungPlan rung_plan(const Json& document);
/// The trials that ended for another one, each with that one. Errors: the store's.
Result<std::map<std::uint64_t, std::uint64_t>> read_replacements(StudyReader& reader,
                                                                 const StudySummary& study);

/// Nothing if its scheduler has none, or is not of this version. Errors: the store's.
Result<std::optional<RungTable>> read_rungs(StudyReader& reader, const StudySummary& study);

/// A table with a line per rung.
std::string rungs_text(const RungTable& rungs, const Objective& objective);
Json rungs_json(const RungTable& rungs, const Objective& objective);

/// "epoch 3: 2nd of 27, went on"
/// replaced_by: the trial that took its place, if one did
std::string visit_text(const RungVisit& visit, const RungTable& rungs, const TrialRow& trial,
                       std::optional<std::uint64_t> replaced_by, const Objective& objective);
Json visits_json(const RungTable& rungs, const TrialRow& trial, const Objective& objective);

}  // namespace betatune
