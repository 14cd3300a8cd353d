#pragma once
/// How much faster trials of a study trained with more ranks: samples/s as trainers report them,
/// compared within each trial, because another configuration is another piece of work. A fold of
/// the log, as all that decisions are made from; kept only of attempts whose width was chosen.

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "optimizer/scaling_fit.hpp"
#include "searchspaces/ids.hpp"

namespace betatune {

/// The metric with samples/s: of the whole gang, training alone.
inline constexpr const char* kRateMetric = "samples_per_second";

/// Trials that trained with both of two numbers of ranks.
struct ComparedWidths {
  std::int64_t trials = 0;
  double log_ratio = 0;  ///< sum over them of ln (rate with more ranks / rate with fewer)
  bool operator==(const ComparedWidths&) const = default;
};

class WidthRates {
 public:
  /// Fewer ranks, then more.
  using Pairs = std::map<std::pair<int, int>, ComparedWidths>;

  /// A report of an attempt with so many ranks, of `steps` that it trained since the one before.
  /// What is no rate (0 or less) says nothing.
  void report(TrialId trial, int ranks, Step steps, double samples_per_second);
  /// The attempt is over: the trial's rate with so many ranks is compared with those it had with
  /// others. Once; what further attempts of equal width would say is left out.
  void end_attempt(TrialId trial, int ranks);
  /// The trial is closed: nothing will be compared with it any more.
  void forget(TrialId trial) { trials_.erase(trial); }

  const Pairs& pairs() const { return pairs_; }
  bool operator==(const WidthRates&) const = default;

 private:
  struct Times {
    Step steps = 0;
    double seconds = 0;  ///< for a sample of each step, added up
    bool compared = false;
    bool operator==(const Times&) const = default;
  };
  std::map<TrialId, std::map<int, Times>> trials_;  ///< by ranks
  Pairs pairs_;
};

/// Speedups over the fewest ranks that were compared: least squares over all pairs of the
/// logarithms of the rates, each trial counting once for each pair. Ascending ranks; widths that no
/// chain of trials joins with the fewest are left out. Empty if nothing was compared.
std::vector<ScalingPoint> pooled_speedups(const WidthRates::Pairs& pairs);

}  // namespace betatune
