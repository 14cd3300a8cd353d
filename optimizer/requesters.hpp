#pragma once
/// Who asked for each trial, as a fold of the log: who enqueued its configuration, else who ran the
/// optimizer whose searcher or scheduler made it. Repeats are asked for by whom the first one is.

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/event.hpp"

namespace betatune {

class Requesters {
 public:
  void take(const Event& event);

  /// Names of accounts; nothing where the log does not say, because an older version wrote it.
  const std::optional<std::string>& of(TrialId trial) const { return of_[trial.n]; }
  std::size_t trials() const { return of_.size(); }
  /// Whether it is known of any trial.
  bool any() const;

 private:
  std::optional<std::string> runs_;                  ///< who runs the optimizer
  std::deque<std::optional<std::string>> enqueued_;  ///< whose configurations wait
  std::vector<std::optional<std::string>> of_;       ///< by trial
};

}  // namespace betatune
