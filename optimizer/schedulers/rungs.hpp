#pragma once
/// The ladder of steps at which trials are compared, and one rung's results in order.

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "configs/study_spec.hpp"
#include "searchspaces/ids.hpp"

namespace betatune {

/// min, min * eta, min * eta^2 ..., max: the last rung is `max` exactly, and the one before it is
/// left out where it would be nearer to max than a factor of sqrt(eta). One rung if min == max.
/// Preconditions: 1 <= min <= max, eta > 1.
std::vector<Step> rung_levels(Step min, Step max, double eta);

/// The highest rung whose level is at most `step`; -1 below the first.
int rung_at(const std::vector<Step>& levels, Step step);

/// How many of `results` go on: floor(results / eta).
std::size_t rung_quota(std::size_t results, double eta);

/// A trial's result at a rung. Those that break outcome constraints come behind all that do not, in
/// the order of their violation; trials without a loss come last; equals go by trial id.
struct RungResult {
  double violation = 0;
  double loss = std::numeric_limits<double>::infinity();
  TrialId trial;
  auto operator<=>(const RungResult&) const = default;
};

/// Results of one rung, in order, with those that have gone on marked. All changes O(log n).
class Rung {
 public:
  explicit Rung(double eta) : eta_(eta) {}

  /// The first result of a trial counts; a later one of the same trial changes nothing.
  /// violation: of the outcome constraints, 0 if all are met.
  void add(TrialId trial, std::optional<double> loss, double violation = 0);
  /// The trial went on (or will never): it stays in the comparison but is not offered again.
  void take(TrialId trial);
  /// Out of the comparison: the trial failed.
  void remove(TrialId trial);

  std::size_t size() const { return results_.size(); }
  /// How many of its results go on.
  std::size_t top_size() const { return top_.size(); }
  bool has(TrialId trial) const { return results_.contains(trial); }
  /// Whether its result is among the best floor(n / eta).
  bool in_top(TrialId trial) const;
  /// The best trial that has not gone on, with a loss; nothing if there is none.
  std::optional<TrialId> best_open() const;
  /// best_open() if it is in the top.
  std::optional<TrialId> promotable() const;

 private:
  void balance();

  double eta_;
  std::map<TrialId, RungResult> results_;
  std::set<RungResult> top_, rest_;  ///< the best rung_quota(size()) and the others
  std::set<RungResult> open_;        ///< not taken
};

}  // namespace betatune
