#pragma once
/// How reading commands print: numbers, times, tables, and rows as JSON.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "configs/study_spec.hpp"
#include "optimizer/outcomes.hpp"
#include "optimizer/stores/study_reader.hpp"

namespace betatune {

/// At most six significant digits: for people; JSON and CSV have all digits.
std::string short_number(double number);
/// "2 h 05 min", "3 min 07 s", "12.3 s".
std::string duration_text(double seconds);
/// "2026-11-24T00:05:11.123Z".
std::string utc_text(std::int64_t at_us);

/// What is optimized, read from the recorded study file.
struct Objective {
  std::string metric = "loss";
  bool maximize = false;
  std::string step = "step";  ///< what one step is called
  std::optional<double> target;
  std::vector<ObjectiveSpec> all;  ///< every objective, this one first
  Outcomes outcomes;               ///< the limits on other metrics, and the other objectives
  /// A loss, which is always minimised, in the user's own direction.
  double value(double loss) const { return maximize ? -loss : loss; }
};
Objective objective_of(const Json& document);
/// A loss, which is always minimised, in the user's own direction.
double value_of(const ObjectiveSpec& objective, double loss);
/// "loss = 0.31, latency = 12", each in the user's own direction, from losses to be minimised.
std::string values_text(const std::vector<ObjectiveSpec>& objectives,
                        const std::vector<double>& losses);
/// {"loss": 0.31, "latency": 12}
Json values_json(const std::vector<ObjectiveSpec>& objectives, const std::vector<double>& losses);

/// The outcome constraints that the trial is known to break, by their texts.
std::vector<std::string> broken_limits(const TrialRow& trial, const Objective& objective);
/// "breaks peak_mem_gib <= 70", "ok", or "-" where it is not known.
std::string limits_text(const TrialRow& trial, const Objective& objective);

/// "closed" trials show how they ended.
std::string state_text(const TrialRow& trial);
/// Seconds that its attempts have run, of those that have ended: the time a trial was paused, or
/// waited to be tried again, is no work.
std::optional<double> seconds_of(const TrialRow& trial);
/// "lr=0.01 layers=3"
std::string assignments_text(const Json& object);

/// A title, and one indented line per member; nothing if there is none.
void print_section(const char* title, const Json& object);

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
Json trial_json(const TrialRow& trial, const Objective& objective);
/// The best trial, with what it counts for under `result`; null if there is none.
Json best_trial_json(const StudySummary& study, const Objective& objective);
/// "epoch 9 of 27"; "epoch 27" at the end.
std::string level_text(const std::string& step, Step level, Step full_budget);
/// "trial 3: loss = 0.31 +- 0.02, the mean of 5 trainings made to confirm it, at epoch 9 of 27".
/// Precondition: there is a best trial.
std::string best_value_text(const StudySummary& study, const Objective& objective);

/// Left-aligned columns, two blanks apart; the last one is never padded.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// The header first; without line ends.
  std::vector<std::string> lines() const;
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// Prints one JSON document and a line end to stdout.
void print_json(const Json& json);

}  // namespace betatune
