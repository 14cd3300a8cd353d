#pragma once
/// From settings such as {"strategy": "gem", "kappa": 2} to a rule.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trainers/torch/distributed/asynchronous/rule.hpp"

namespace betatune::distributed::asynchronous {

struct Configured {
  std::string name;
  std::unique_ptr<Strategy> strategy;
  /// A worker that has made this many more exchanges than the slowest waits for it; none: never.
  std::optional<std::uint64_t> staleness_bound;
  /// Canonical text of the settings and n; workers and servers must have the same.
  std::string identity;
};

/// json     an object: `strategy`, `staleness_bound` (0 to 1,000,000; not for synchronous rules)
/// and
///          the fields of the rule, see docs/asynchronous-training.md
/// workers  n
/// errors   plugin::Failure that names the field, its value and what is allowed
Configured read_strategy(const std::string& json, int workers);

struct RuleName {
  std::string name, summary;
};
/// All that are registered, by name.
std::vector<RuleName> strategies();

}  // namespace betatune::distributed::asynchronous
