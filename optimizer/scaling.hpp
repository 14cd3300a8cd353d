#pragma once
/// How a training gets faster with more ranks: what its log says of each number of ranks, and the
/// curve through that.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "optimizer/scaling_fit.hpp"
#include "optimizer/stores/study_reader.hpp"

namespace betatune {

/// What one training showed. The first report of each attempt only starts the clock: until then
/// processes start, and things are done that are done once.
struct TrainingTimes {
  Step steps = 0;      ///< that are counted
  double seconds = 0;  ///< wall time of these, from report to report
  /// As the trainer reports them, over the steps counted; nothing if it does not.
  std::optional<double> samples_per_second, communication_share;
  /// From the start to the report that reached the target; what is between attempts is left out.
  std::optional<double> seconds_to_target;
  /// Where every attempt reported once, there is nothing to count but whole attempts.
  bool with_start = false;
};

/// attempts  of one trial, in order
/// reports   of the same, in order
/// target    a loss, to be minimised
TrainingTimes training_times(std::span<const AttemptRow> attempts,
                             std::span<const ReportRow> reports, std::optional<double> target);

/// The trainings of one number of ranks; at least one, with steps.
struct MeasuredWidth {
  int ranks = 1;
  std::vector<TrainingTimes> trainings;
};

struct ScalingRow {
  int ranks = 1;
  std::size_t trainings = 0;
  double rate = 0;                       ///< samples/s, or steps/s: mean over the trainings
  std::optional<double> rate_deviation;  ///< standard deviation, of two trainings or more
  double seconds_per_step = 0;
  double speedup = 1;     ///< rate / rate of the fewest ranks
  double efficiency = 1;  ///< rate per rank / that of the fewest ranks
  std::optional<double> communication_share;
  std::optional<double> seconds_to_target;  ///< mean; nothing unless all trainings got there
};

struct ScalingTable {
  std::vector<ScalingRow> rows;  ///< by ranks
  bool counts_samples = false;   ///< rates are the trainer's samples/s; else steps/s
  bool counts_start = false;     ///< some training had no second report
};
ScalingTable scaling_table(std::vector<MeasuredWidth> widths);

/// Through the speedups of the table; see scaling_fit.hpp. Nothing of one row.
std::optional<ScalingFit> fit_scaling(std::span<const ScalingRow> rows);
/// In one line, as told to people.
std::string fit_text(const ScalingFit& fit, int fewest_ranks);

}  // namespace betatune
