#include "optimizer/scaling.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace betatune {
namespace {

constexpr double kPerMicrosecond = 1e-6;
constexpr double kExact = 1e-9;

std::optional<double> metric(const ReportRow& report, const char* name) {
  const auto found = report.metrics.find(name);
  if (found == report.metrics.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

/// Adds up a metric over steps; one report without it, and there is no sum.
class Sum {
 public:
  void add(std::optional<double> number, double weight) {
    known_ = known_ && number.has_value();
    if (number) sum_ += *number * weight;
  }
  std::optional<double> value() const { return known_ ? std::optional(sum_) : std::nullopt; }

 private:
  double sum_ = 0;
  bool known_ = true;
};

/// Reports by attempt, with the time that each took: since the one before, or since the start.
struct Walk {
  TrainingTimes times;
  Sum seconds_per_sample, share;

  void count(const ReportRow& report, Step steps, double seconds) {
    if (steps <= 0) return;
    times.steps += steps;
    times.seconds += seconds;
    const auto weight = static_cast<double>(steps);
    const auto rate = metric(report, "samples_per_second");
    // Steps have equally many samples, so times add up, not rates.
    const bool usable = rate && *rate > 0;
    seconds_per_sample.add(usable ? std::optional(1 / *rate) : std::nullopt, weight);
    share.add(metric(report, "communication_share"), weight);
  }

  void finish() {
    if (times.steps == 0) return;
    const auto steps = static_cast<double>(times.steps);
    if (const auto sum = seconds_per_sample.value()) times.samples_per_second = steps / *sum;
    if (const auto sum = share.value()) times.communication_share = *sum / steps;
  }
};

template <class Get>
std::optional<double> mean_if_all(const std::vector<TrainingTimes>& trainings, Get get) {
  double sum = 0;
  for (const TrainingTimes& each : trainings) {
    const std::optional<double> value = get(each);
    if (!value) return std::nullopt;
    sum += *value;
  }
  return sum / static_cast<double>(trainings.size());
}

double rate_of(const TrainingTimes& training, bool samples) {
  return samples ? *training.samples_per_second
                 : static_cast<double>(training.steps) / training.seconds;
}

ScalingRow row_of(const MeasuredWidth& width, bool samples) {
  ScalingRow row;
  row.ranks = width.ranks;
  row.trainings = width.trainings.size();
  const auto& all = width.trainings;
  row.rate = *mean_if_all(all, [&](auto& t) { return std::optional(rate_of(t, samples)); });
  row.seconds_per_step =
      *mean_if_all(all, [](auto& t) { return std::optional(1 / rate_of(t, false)); });
  row.communication_share = mean_if_all(all, [](auto& t) { return t.communication_share; });
  row.seconds_to_target = mean_if_all(all, [](auto& t) { return t.seconds_to_target; });
  if (all.size() > 1) {
    const double squares = *mean_if_all(
        all, [&](auto& t) { return std::optional(std::pow(rate_of(t, samples) - row.rate, 2)); });
    const auto n = static_cast<double>(all.size());
    row.rate_deviation = std::sqrt(squares * n / (n - 1));
  }
  return row;
}

}  // namespace

TrainingTimes training_times(std::span<const AttemptRow> attempts,
                             std::span<const ReportRow> reports, std::optional<double> target) {
  Walk steady, whole;
  double before = 0;  // seconds of earlier attempts
  std::optional<double> reached;
  for (const AttemptRow& attempt : attempts) {
    Step step = attempt.from;
    std::int64_t at_us = attempt.started_at_us;
    bool first = true;
    for (const ReportRow& report : reports) {
      if (report.attempt != attempt.attempt || report.metrics.empty()) continue;
      const double seconds = static_cast<double>(report.at_us - at_us) * kPerMicrosecond;
      (first ? whole : steady).count(report, report.step - step, seconds);
      if (target && report.loss && *report.loss <= *target && !reached) {
        const auto since = static_cast<double>(report.at_us - attempt.started_at_us);
        reached = before + since * kPerMicrosecond;
      }
      step = report.step;
      at_us = report.at_us;
      first = false;
    }
    before += static_cast<double>(at_us - attempt.started_at_us) * kPerMicrosecond;
  }
  // Reports that arrive together have no time between them.
  Walk& counted = steady.times.seconds > 0 ? steady : whole;
  counted.finish();
  counted.times.with_start = &counted == &whole;
  counted.times.seconds_to_target = reached;
  return counted.times;
}

ScalingTable scaling_table(std::vector<MeasuredWidth> widths) {
  ScalingTable table;
  std::ranges::sort(widths, {}, &MeasuredWidth::ranks);
  table.counts_samples = true;
  for (const MeasuredWidth& width : widths) {
    for (const TrainingTimes& each : width.trainings) {
      table.counts_samples = table.counts_samples && each.samples_per_second.has_value();
      table.counts_start = table.counts_start || each.with_start;
    }
  }
  for (const MeasuredWidth& width : widths) {
    table.rows.push_back(row_of(width, table.counts_samples));
    ScalingRow& row = table.rows.back();
    const ScalingRow& fewest = table.rows.front();
    row.speedup = row.rate / fewest.rate;
    row.efficiency = row.speedup * fewest.ranks / row.ranks;
  }
  return table;
}

std::optional<ScalingFit> fit_scaling(std::span<const ScalingRow> rows) {
  std::vector<ScalingPoint> points;
  for (const ScalingRow& row : rows) points.push_back({row.ranks, row.speedup});
  return fit_scaling(std::span<const ScalingPoint>(points));
}

std::string fit_text(const ScalingFit& fit, int fewest_ranks) {
  std::string text = fmt::format("fit: time per step 1/x + {:.2g} (1 - 1/x)", fit.serial);
  if (fit.exchange > 0) text += fmt::format(" + {:.2g} log2 x", fit.exchange);
  text += fmt::format(" with x times {} rank{}", fewest_ranks, fewest_ranks == 1 ? "" : "s");
  // Through two points a curve of one number goes exactly.
  if (fit.off_by > kExact) text += fmt::format(" (off by at most {:.2g} %)", 100 * fit.off_by);
  text += "; ";
  const auto x = fit.fastest();
  if ((x && *x == 1) || fit.serial == 1) return text + "by that more ranks are no faster";
  if (x) {
    return text + fmt::format("by that never more than {:.3g} times as fast, at {:.0f} ranks",
                              1 / fit.time(*x), std::round(*x * fewest_ranks));
  }
  if (fit.serial > 0) {
    return text + fmt::format("by that never more than {:.3g} times as fast", 1 / fit.serial);
  }
  return text + "by that without a limit";
}

}  // namespace betatune
