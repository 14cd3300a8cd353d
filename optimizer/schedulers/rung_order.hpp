#pragma once
/// The results of a rung in order, the best of them first: by the loss, or, with several
/// objectives, by non-dominated sorting.

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "searchspaces/ids.hpp"

namespace betatune {

/// How many of `results` go on: floor(results / eta).
std::size_t rung_quota(std::size_t results, double eta);

/// A trial's result at a rung, as it is compared. Those that break outcome constraints come behind
/// all that do not, in the order of their violation; trials without a result come last; equals go
/// by trial id.
struct RungResult {
  static constexpr double kNone = std::numeric_limits<double>::infinity();

  double violation = 0;
  double merit = kNone;  ///< the loss, or what ranked_by_fronts() makes of several objectives
  TrialId trial;
  auto operator<=>(const RungResult&) const = default;

  /// With one objective; nothing: no result.
  static RungResult of(TrialId trial, std::optional<double> loss, double violation);
};

/// A trial's result at a rung, as it was measured, with several objectives.
struct RungLosses {
  TrialId trial;
  double violation = 0;             ///< of the outcome constraints, 0 if all are met
  std::vector<double> losses = {};  ///< all objectives, to be minimised; empty: no result
};

/// What such results are compared by, in their order: among those of the same violation by front,
/// and within a front the loneliest first (front_merits()); what equals in everything keeps its
/// order. O(n log n) for two objectives, O(n^2) for more.
/// source: Schmucker et al. 2021 (MO-ASHA), arXiv:2106.12639; Deb et al. 2002 (NSGA-II)
std::vector<RungResult> ranked_by_fronts(const std::vector<RungLosses>& results);

/// Where one result stands among those that it is compared with.
struct RungPlace {
  RungResult own;
  std::size_t place = 0;               ///< 1 is the best
  std::size_t results = 0;             ///< that are compared
  std::size_t quota = 0;               ///< how many of them go on
  std::optional<RungResult> cut = {};  ///< of the last one that goes on; nothing if nobody does
};
/// Nothing if the trial has no result among them.
std::optional<RungPlace> place_among(const std::set<RungResult>& results, TrialId trial,
                                     std::size_t quota);

/// Results in order, with those that have gone on marked. All changes O(log n).
class RungOrder {
 public:
  explicit RungOrder(double eta) : eta_(eta) {}

  /// The first result of a trial counts; a later one of the same trial changes nothing.
  void add(const RungResult& result);
  /// The trial went on (or will never): it stays in the comparison but is not offered again.
  void take(TrialId trial);
  /// Out of the comparison: the trial failed.
  void remove(TrialId trial);

  std::size_t size() const { return results_.size(); }
  bool has(TrialId trial) const { return results_.contains(trial); }
  /// Whether its result is among the best floor(n / eta).
  bool in_top(TrialId trial) const;
  /// The best so many (or all), best first. O(count).
  std::vector<TrialId> best(std::size_t count) const;
  /// For people: O(n). Nothing if it has no result here.
  std::optional<RungPlace> place_of(TrialId trial) const;
  /// The best trial that has not gone on, with a result; nothing if there is none.
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
