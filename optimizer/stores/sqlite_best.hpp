#pragma once
/// Which trial is best, from the tables: as the fold says (standings.hpp).

#include <optional>
#include <string>

#include "optimizer/event.hpp"
#include "optimizer/repeated.hpp"
#include "optimizer/stores/sqlite_handle.hpp"

namespace betatune::sqlite {

struct BestTrial {
  TrialId id;
  Step level = 0;  ///< of training, that the result comes from
  Repeated result;
  std::optional<std::string> model;  ///< newest checkpoint of the trainings behind the result
};

/// Nothing while no trial has a result.
Result<std::optional<BestTrial>> best_trial(const Database& database);

}  // namespace betatune::sqlite
