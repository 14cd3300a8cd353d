#include "optimizer/stores/sqlite_best.hpp"

namespace betatune::sqlite {
namespace {

// By an index: a study of many trials is asked for its best one often.
constexpr const char* kSingle =
    "SELECT id, standing_loss, checkpoint, standing_level FROM trial_rows WHERE standing_loss IS "
    "NOT NULL"
    " ORDER BY standing_level DESC, standing_violation, standing_loss, id LIMIT 1";

// Trials that train one configuration again count as the first of them, by the mean over those at
// the highest level once all are over; what was made to confirm it goes before what the search
// found.
constexpr const char* kGroup = R"sql(
WITH levels AS (
  SELECT first, origin = 'confirm' AS confirmed, max(standing_level) AS level
  FROM trial_rows GROUP BY 1, 2 HAVING min(state = 'closed') OR count(*) = 1)
SELECT l.first, l.confirmed, l.level
FROM levels l JOIN trial_rows t ON t.first = l.first AND (t.origin = 'confirm') = l.confirmed
  AND t.standing_level = l.level AND t.standing_loss IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY l.confirmed DESC, l.level DESC, avg(t.standing_violation), avg(t.standing_loss), l.first
LIMIT 1
)sql";

constexpr const char* kMembers =
    "SELECT standing_loss, checkpoint FROM trial_rows WHERE first=?1 AND (origin = 'confirm')=?2"
    " AND standing_level=?3 AND standing_loss IS NOT NULL ORDER BY id";

void add(const Statement& row, int column, BestTrial& best) {
  best.result.losses.push_back(*row.optional_real(column));
  if (!best.model && !row.is_null(column + 1)) best.model = row.string(column + 1);
}

Result<std::optional<BestTrial>> best_single(const Database& database) {
  BETATUNE_TRY(Statement row, database.prepare(kSingle));
  BETATUNE_TRY(const bool found, row.step());
  if (!found) return std::optional<BestTrial>();
  BestTrial best;
  best.id = TrialId{static_cast<std::uint64_t>(row.integer(0))};
  best.level = row.integer(3);
  add(row, 1, best);
  return std::optional(std::move(best));
}

Result<std::optional<BestTrial>> best_group(const Database& database) {
  BETATUNE_TRY(Statement group, database.prepare(kGroup));
  BETATUNE_TRY(const bool found, group.step());
  if (!found) return std::optional<BestTrial>();
  BestTrial best;
  best.id = TrialId{static_cast<std::uint64_t>(group.integer(0))};
  best.result.confirmed = group.integer(1) != 0;
  best.level = group.integer(2);
  BETATUNE_TRY(Statement members, database.prepare(kMembers));
  members.with(best.id.n, group.integer(1), group.integer(2));
  for (;;) {
    BETATUNE_TRY(const bool row, members.step());
    if (!row) return std::optional(std::move(best));
    add(members, 0, best);
  }
}

}  // namespace

Result<std::optional<BestTrial>> best_trial(const Database& database) {
  BETATUNE_TRY(const std::int64_t repeats,
               database.query_integer("SELECT EXISTS(SELECT 1 FROM trial_rows WHERE first <> id)"));
  return repeats == 0 ? best_single(database) : best_group(database);
}

}  // namespace betatune::sqlite
