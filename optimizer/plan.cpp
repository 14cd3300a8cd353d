#include "optimizer/plan.hpp"

#include "searchspaces/log.hpp"

namespace betatune {

Key plan_key(std::uint64_t seed, std::uint64_t plan) {
  return fold_in(fold_in(root_key(seed), "plan"), plan);
}

/// The reader of study files has checked the points.
std::deque<Configuration> initial_points(const StudySpec& spec) {
  std::deque<Configuration> points;
  for (const ConfigNode& node : spec.algorithm.initial.points) {
    const auto partial = configuration_from_json(node.to_json());
    if (!partial) {
      log().warn("algorithm.initial.points: {}", partial.error().message);
      continue;
    }
    auto complete = spec.space.complete(partial.value());
    if (complete) {
      points.push_back(std::move(complete).value());
    } else {
      log().warn("algorithm.initial.points: {}", complete.error().message);
    }
  }
  if (points.empty()) {
    if (auto defaults = spec.space.complete({})) points.push_back(std::move(defaults).value());
  }
  return points;
}

}  // namespace betatune
