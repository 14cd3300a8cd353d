#pragma once
/// The parts of which `betatune status` and `betatune watch` are made.

#include <optional>
#include <string>

#include "optimizer/cli/front.hpp"
#include "optimizer/cli/rungs.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/roster_file.hpp"

namespace betatune {

/// What takes more than the summary.
struct StatusParts {
  std::optional<ShownFront> front;  ///< with several objectives
  std::optional<RungTable> rungs;   ///< if the scheduler has them
};
/// Errors: the reader's.
Result<StatusParts> read_status_parts(StudyReader& reader, const StudySummary& study);

/// The budgets of the recorded study file: what this version can read of them.
StoppingSpec stopping_of(const Json& document);
/// Of the optimizer that runs now, if one does.
std::optional<SeenRoster> roster_of(const StudySummary& study, const StudyPlace& place);
/// How many there are of a state or an outcome.
std::int64_t count_of(const std::map<std::string, std::int64_t>& counts, const char* key);

/// "running (process 4711)"
std::string headline(const StudySummary& study, const StudyPlace& place);
/// "31 of 60: 28 completed, 1 failed (oom 1), 2 running"
std::string trials_text(const StudySummary& study);
/// The best trial and, behind a line's end, its configuration; or the front.
std::string best_text(const StudySummary& study, const StatusParts& parts);
/// A line about all, and one for each of the first `shown` trainers.
std::string trainers_text(const SeenRoster& roster, std::size_t shown);

/// Each line of `text` in the column of the values, the first one behind `title`; or nothing.
std::string titled_block(const char* title, const std::string& text);

}  // namespace betatune
