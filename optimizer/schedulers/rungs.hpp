#pragma once
/// The ladder of steps at which trials are compared, and what trials came to at one of them.

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "configs/study_spec.hpp"
#include "optimizer/schedulers/rung_order.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {

/// min, min * eta, min * eta^2 ..., max: the last rung is `max` exactly, and the one before it is
/// left out where it would be nearer to max than a factor of sqrt(eta). One rung if min == max.
/// Preconditions: 1 <= min <= max, eta > 1.
std::vector<Step> rung_levels(Step min, Step max, double eta);

/// The highest rung whose level is at most `step`; -1 below the first.
int rung_at(const std::vector<Step>& levels, Step step);

/// All objectives of a trial with this loss, and its outcomes as they are now; empty if any of the
/// `objectives` is not known.
std::vector<double> known_losses(const StudyState& state, const Trial& trial,
                                 std::optional<double> loss, std::size_t objectives);

/// The results of one rung. With one objective every change is O(log n). With several, one result
/// may change the places of all others: they are ranked when somebody asks for the order and
/// results have come since, so that a replay, in which few ask, ranks seldom.
class Rung {
 public:
  explicit Rung(double eta, std::size_t objectives = 1)
      : eta_(eta), objectives_(objectives), order_(eta) {}

  /// What the trial has come to, with this loss. Its first result counts; a later one changes
  /// nothing.
  void add(const StudyState& state, const Trial& trial, std::optional<double> loss);
  /// The same with one objective. violation: of the outcome constraints, 0 if all are met.
  void add(TrialId trial, std::optional<double> loss, double violation = 0);
  /// The same with several.
  void add(RungLosses result);
  /// The trial went on (or will never): it stays in the comparison but is not offered again.
  void take(TrialId trial);
  /// Out of the comparison: the trial failed.
  void remove(TrialId trial);

  std::size_t size() const { return objectives_ == 1 ? order_.size() : measured_.size(); }
  /// How many of its results go on.
  std::size_t top_size() const { return rung_quota(size(), eta_); }
  bool has(TrialId trial) const {
    return objectives_ == 1 ? order_.has(trial) : measured_.contains(trial);
  }
  /// Whether its result is among the best floor(n / eta).
  bool in_top(TrialId trial) const { return order().in_top(trial); }
  /// The best so many, best first, whether they have gone on or not.
  std::vector<TrialId> best(std::size_t count) const { return order().best(count); }
  /// For people: where the trial stands; nothing if it has no result here.
  std::optional<RungPlace> place_of(TrialId trial) const { return order().place_of(trial); }
  /// The best trial that has not gone on, with a result; nothing if there is none.
  std::optional<TrialId> best_open() const { return order().best_open(); }
  /// best_open() if it is in the top.
  std::optional<TrialId> promotable() const { return order().promotable(); }

 private:
  const RungOrder& order() const;

  double eta_;
  std::size_t objectives_;
  mutable RungOrder order_;
  // With several objectives, what the order is made of:
  std::map<TrialId, RungLosses> measured_;
  std::set<TrialId> taken_;
  mutable bool is_ranked_ = true;
};

}  // namespace betatune
