#pragma once
/// What a study has cost: steps, seconds, GPU-seconds and slot-seconds of all attempts, by trial,
/// by the step they trained to, by trainer, by who suggested the configuration or who asked for it;
/// what was trained more than once; and what was saved by not training everything to the end.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "searchspaces/outcome.hpp"

namespace betatune {

/// One attempt, as the log has it.
struct AttemptCost {
  std::uint64_t trial = 0;
  std::string trainer, origin;
  Step from = 0;   ///< step that it began behind
  Step until = 0;  ///< step that it was to train to
  Step step = 0;   ///< step that it came to
  double seconds = 0;
  bool succeeded = false;  ///< reached its goal, or ended early as decided
  int gpus = 0;
  int slots = 1;          ///< of its trainer
  std::string user = {};  ///< who asked for the trial
};

enum class CostBy { rung, trial, trainer, origin, user };
constexpr auto enum_names(CostBy) {
  using enum CostBy;
  return std::array{EnumName<CostBy>{rung, "rung"}, EnumName<CostBy>{trial, "trial"},
                    EnumName<CostBy>{trainer, "trainer"}, EnumName<CostBy>{origin, "origin"},
                    EnumName<CostBy>{user, "user"}};
}

struct Cost {
  std::int64_t attempts = 0;
  Step steps = 0;
  double seconds = 0;
  double gpu_seconds = 0;   ///< seconds, times the GPUs of each attempt
  double slot_seconds = 0;  ///< and times the slots
};

class CostLedger {
 public:
  CostLedger(CostBy by, Step full_budget) : by_(by), full_budget_(full_budget) {}

  void add(const AttemptCost& attempt);
  /// Another trial went on in its place: its end saved nothing.
  void replaced(std::uint64_t trial) { trials_[trial].replaced = true; }

  /// By key: the trial's number, the step of the rung, the name of the trainer, origin or user;
  /// sorted, numbers as numbers.
  const std::map<std::pair<std::int64_t, std::string>, Cost>& groups() const { return groups_; }
  const Cost& total() const { return total_; }
  /// Of the total: what attempts trained that did not succeed.
  const Cost& failed() const { return failed_; }
  /// Of the total: what attempts that succeeded trained below where their trial had been, because
  /// it began again. `attempts`: those.
  const Cost& again() const { return again_; }
  /// What training every trial to the full budget would have cost beyond what succeeded, at each
  /// trial's own seconds per step (those without any, at the mean of the others). What was trained
  /// again is taken off: it may be negative. `attempts`: the trials that were not trained to the
  /// end, nor replaced by another one.
  Cost saved() const;
  /// Of one trial; where it trained no step, the mean of the others.
  double seconds_per_step(std::uint64_t trial) const;

 private:
  struct TrialCost {
    Step highest = 0;
    bool replaced = false;
    Cost cost;
  };
  void add_again(const AttemptCost& attempt, Step steps, Step highest);
  const Cost& known_cost(std::uint64_t trial) const;

  CostBy by_;
  Step full_budget_;
  std::map<std::pair<std::int64_t, std::string>, Cost> groups_;
  Cost total_, failed_, again_;
  std::map<std::uint64_t, TrialCost> trials_;
};

}  // namespace betatune
