#include "optimizer/budgets.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "configs/study_spec.hpp"

namespace betatune {
namespace {

constexpr double kHourUs = 3.6e9;

/// Whole steps, and hours to three digits.
std::string used_text(double used) {
  return used >= 100 || used == std::floor(used) ? fmt::format("{:.0f}", used)
                                                 : fmt::format("{:.3g}", used);
}

}  // namespace

std::vector<Budget> budgets_of(const StoppingSpec& stopping, const Usage& usage) {
  std::vector<Budget> budgets;
  const auto add = [&](const char* name, const char* unit, double used, double limit) {
    budgets.push_back({name, used, limit, unit});
  };
  if (stopping.gpu_hours) {
    add("gpu_hours", "GPU-hours", static_cast<double>(usage.gpu_us) / kHourUs, *stopping.gpu_hours);
  }
  if (stopping.trainer_hours) {
    add("trainer_hours", "trainer-hours", static_cast<double>(usage.trainer_us) / kHourUs,
        *stopping.trainer_hours);
  }
  if (stopping.steps) {
    add("steps", "steps", static_cast<double>(usage.steps), static_cast<double>(*stopping.steps));
  }
  return budgets;
}

std::string budgets_text(const std::vector<Budget>& budgets) {
  std::string text;
  for (const Budget& each : budgets) {
    text += fmt::format("{}{} of {} {}", text.empty() ? "" : ", ", used_text(each.used), each.limit,
                        each.unit);
  }
  return text;
}

Step full_budget_of(const Json& document) {
  const Json::json_pointer path("/fidelity/max");
  if (!document.contains(path) || !document.at(path).is_number_integer()) return 1;
  return document.at(path).get<Step>();
}

int gpus_of(const Json& document) {
  Json::json_pointer path("/resources/gpus");
  const Json::json_pointer choices("/resources/gpus/choices");
  if (document.contains(choices) && document.at(choices).is_array() &&
      !document.at(choices).empty()) {
    path = choices / (document.at(choices).size() - 1);
  }
  if (!document.contains(path) || !document.at(path).is_number_integer()) return 0;
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  return static_cast<int>(
      std::clamp<std::int64_t>(document.at(path).get<std::int64_t>(), 0, kMost));
}

int gpus_of_attempt(int by_document, std::optional<int> chosen_ranks) {
  return chosen_ranks && by_document > 0 ? *chosen_ranks : by_document;
}

}  // namespace betatune
