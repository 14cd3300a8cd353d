#pragma once
/// Budgets of resources (`stopping`: gpu_hours, trainer_hours, steps), and what the attempts of a
/// study have used of them.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "searchspaces/ids.hpp"
#include "searchspaces/schema.hpp"

namespace betatune {

struct StoppingSpec;

/// Of all attempts, those that run included, and on the clock that counts only while an optimizer
/// runs (StudyState::active_us): the night between two runs of a study is no work.
struct Usage {
  std::int64_t trainer_us = 0;  ///< of every attempt, whatever it runs on
  std::int64_t gpu_us = 0;      ///< the same times the GPUs of each
  Step steps = 0;               ///< trained, those that were trained again included
  bool operator==(const Usage&) const = default;
};

struct Budget {
  std::string name;  ///< of the rule under `stopping`
  double used = 0, limit = 0;
  std::string unit;  ///< "GPU-hours"
  bool is_used_up() const { return used >= limit; }
};

/// The budgets that the study file sets, in the order of its page.
std::vector<Budget> budgets_of(const StoppingSpec& stopping, const Usage& usage);
/// "3.2 of 12 GPU-hours, 40 of 90 steps"; empty if there are none.
std::string budgets_text(const std::vector<Budget>& budgets);

/// `fidelity.max` of a recorded study file; 1 where trials are trained in one step.
Step full_budget_of(const Json& document);
/// `resources.gpus` of a recorded study file; the most of its choices, if it has several.
int gpus_of(const Json& document);
/// Of one attempt: of `by_document`, or one for each of the ranks that were chosen for it.
int gpus_of_attempt(int by_document, std::optional<int> chosen_ranks);

}  // namespace betatune
