#include "optimizer/searchers/earlier_best.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace betatune {
namespace {

constexpr int kLeast = 2, kMost = 8;
constexpr double kApart = 0.1;

bool is_near(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  for (Eigen::Index j = 0; j < a.size(); ++j) {
    if (is_inactive(a[j]) != is_inactive(b[j])) return false;
    if (!is_inactive(a[j]) && std::abs(a[j] - b[j]) > kApart) return false;
  }
  return true;
}

/// Points of a study in this space, best first, near ones left out.
std::vector<Eigen::VectorXd> best_points(const SearchSpace& space, const EarlierStudyRead& study,
                                         std::size_t count) {
  std::vector<const EarlierResult*> order;
  for (const EarlierResult& each : study.results) order.push_back(&each);
  std::ranges::stable_sort(order, [](auto* a, auto* b) { return a->loss < b->loss; });
  std::vector<Eigen::VectorXd> out;
  for (const EarlierResult* each : order) {
    if (out.size() == count) break;
    const auto given = space.try_encode(each->configuration);
    if (!given || given->array().isNaN().all()) continue;
    Eigen::VectorXd point = space.canonical(*given);
    if (!space.feasible(point)) continue;
    if (std::ranges::any_of(out, [&](const auto& other) { return is_near(point, other); }))
      continue;
    out.push_back(std::move(point));
  }
  return out;
}

}  // namespace

int earlier_trials(const StudySpec& spec) {
  const auto studies = static_cast<int>(spec.algorithm.transfer.studies.size());
  return studies == 0 ? 0 : std::clamp(studies, kLeast, kMost);
}

std::optional<Suggestion> suggest_earlier(const History& history, FreshBatch& batch,
                                          std::size_t index) {
  const std::size_t studies = history.earlier.size();
  for (std::size_t tried = 0; tried < studies; ++tried, ++index) {
    const EarlierStudyRead& study = *history.earlier[index % studies];
    const std::size_t rank = index / studies;
    const auto points = best_points(history.space(), study, rank + 1);
    if (points.size() <= rank) continue;
    Configuration made = history.space().decode(points[rank]);
    if (!history.space().satisfies_constraints(made) || !batch.take(made)) continue;
    return Suggestion{std::move(made), kEarlierOrigin, Json{{"study", study.study}}};
  }
  return std::nullopt;
}

}  // namespace betatune
