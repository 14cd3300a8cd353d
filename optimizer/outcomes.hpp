#pragma once
/// What decisions take from the reported metrics beside the loss: the slack of every outcome
/// constraint, and every objective after the first, to be minimised. A metric counts with the value
/// that a trial reported last, so that a peak of memory that is reported once holds for every later
/// step.

#include <span>
#include <string>
#include <vector>

#include "searchspaces/inequality.hpp"
#include "searchspaces/outcome.hpp"

namespace betatune {

class Outcomes {
 public:
  Outcomes() = default;
  /// As the document of a study says. Errors: corrupt for a constraint that this build cannot read.
  static Result<Outcomes> of(const Json& document);

  /// Whether the loss is all that counts.
  bool empty() const { return metrics_.empty(); }
  const std::vector<Inequality>& constraints() const { return constraints_; }
  /// Keeps those of the reported metrics that count, over what was known of them before.
  void remember(const Metrics& reported, Metrics& known) const;
  /// How many objectives there are, with the loss.
  std::size_t objectives() const { return 1 + further_.size(); }
  /// The outcomes of a trial: the slack of each constraint, then the objectives after the first;
  /// NaN where one is not known.
  std::vector<double> read(const Metrics& known) const;
  /// By how much limits are broken, of what read() gave: total_violation() of the slacks.
  double violation(std::span<const double> outcomes) const;
  /// The constraints that are known to be broken, by their texts.
  std::vector<std::string> broken(std::span<const double> outcomes) const;
  /// All objectives, to be minimised.
  std::vector<double> losses(double loss, std::span<const double> outcomes) const;
  /// Why not every one can be read from what is known, for people; empty if they can.
  std::string what_is_missing(const Metrics& known) const;

  bool operator==(const Outcomes&) const = default;

 private:
  struct Further {
    std::string metric;
    bool maximize = false;
    bool operator==(const Further&) const = default;
  };

  std::vector<Inequality> constraints_;
  std::vector<Further> further_;      ///< objectives after the first
  std::vector<std::string> metrics_;  ///< that any of them reads, sorted
};

/// By how much limits are broken: the sum of the positive slacks, in their own units; 0 where all
/// are met. Infinite where one is not known: what nobody has measured is not taken for fine.
double total_violation(std::span<const double> slacks);

}  // namespace betatune
