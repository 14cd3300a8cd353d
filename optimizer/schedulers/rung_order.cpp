#include "optimizer/schedulers/rung_order.hpp"

#include <cmath>

#include "optimizer/pareto/front.hpp"

namespace betatune {
namespace {

/// Gives those of one violation their merits.
void rank_group(const std::vector<RungLosses>& results, const std::vector<std::size_t>& group,
                std::vector<RungResult>& into) {
  RowMatrix points(std::ssize(group), std::ssize(results[group.front()].losses));
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    const std::vector<double>& losses = results[group[static_cast<std::size_t>(i)]].losses;
    points.row(i) = Eigen::Map<const Eigen::RowVectorXd>(losses.data(), std::ssize(losses));
  }
  const Eigen::VectorXd merits = front_merits(points);
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    into[group[static_cast<std::size_t>(i)]].merit = merits[i];
  }
}

}  // namespace

std::size_t rung_quota(std::size_t results, double eta) {
  // 1e-9: 3 / 1.5 must not become 1.999...
  return static_cast<std::size_t>(static_cast<double>(results) / eta + 1e-9);
}

RungResult RungResult::of(TrialId trial, std::optional<double> loss, double violation) {
  RungResult out;
  out.violation = violation;
  if (!loss) out.violation = kNone;
  if (loss) out.merit = *loss;
  out.trial = trial;
  return out;
}

std::vector<RungResult> ranked_by_fronts(const std::vector<RungLosses>& results) {
  std::vector<RungResult> out;
  std::map<double, std::vector<std::size_t>> groups;  // by violation
  for (const RungLosses& each : results) {
    if (!each.losses.empty()) groups[each.violation].push_back(out.size());
    out.push_back(RungResult::of(each.trial, std::nullopt, 0));
    if (!each.losses.empty()) out.back().violation = each.violation;
  }
  for (const auto& [violation, group] : groups) rank_group(results, group, out);
  return out;
}

std::optional<RungPlace> place_among(const std::set<RungResult>& results, TrialId trial,
                                     std::size_t quota) {
  std::optional<RungPlace> out;
  std::size_t place = 0;
  std::optional<RungResult> cut;
  for (const RungResult& each : results) {
    if (++place == quota) cut = each;
    if (each.trial == trial) out = RungPlace{each, place, results.size(), quota};
  }
  if (out) out->cut = cut;
  return out;
}

void RungOrder::add(const RungResult& result) {
  if (!results_.emplace(result.trial, result).second) return;
  (!top_.empty() && result < *top_.rbegin() ? top_ : rest_).insert(result);
  open_.insert(result);
  balance();
}

void RungOrder::take(TrialId trial) {
  const auto found = results_.find(trial);
  if (found != results_.end()) open_.erase(found->second);
}

void RungOrder::remove(TrialId trial) {
  const auto found = results_.find(trial);
  if (found == results_.end()) return;
  const RungResult result = found->second;
  results_.erase(found);
  top_.erase(result);
  rest_.erase(result);
  open_.erase(result);
  balance();
}

void RungOrder::balance() {
  const std::size_t quota = rung_quota(results_.size(), eta_);
  while (top_.size() < quota) top_.insert(rest_.extract(rest_.begin()));
  while (top_.size() > quota) rest_.insert(top_.extract(std::prev(top_.end())));
}

bool RungOrder::in_top(TrialId trial) const {
  const auto found = results_.find(trial);
  return found != results_.end() && top_.contains(found->second);
}

std::vector<TrialId> RungOrder::best(std::size_t count) const {
  std::vector<TrialId> out;
  for (const std::set<RungResult>* half : {&top_, &rest_}) {
    for (const RungResult& each : *half) {
      if (out.size() == count) return out;
      out.push_back(each.trial);
    }
  }
  return out;
}

std::optional<RungPlace> RungOrder::place_of(TrialId trial) const {
  const auto found = results_.find(trial);
  if (found == results_.end()) return std::nullopt;
  const bool top = top_.contains(found->second);
  const std::set<RungResult>& half = top ? top_ : rest_;
  const auto before = std::distance(half.begin(), half.find(found->second));
  RungPlace out{found->second, static_cast<std::size_t>(before) + 1, results_.size(), top_.size()};
  if (!top) out.place += top_.size();
  if (!top_.empty()) out.cut = *top_.rbegin();
  return out;
}

std::optional<TrialId> RungOrder::best_open() const {
  if (open_.empty() || !std::isfinite(open_.begin()->merit)) return std::nullopt;
  return open_.begin()->trial;
}

std::optional<TrialId> RungOrder::promotable() const {
  const auto best = best_open();
  return best && top_.contains(*open_.begin()) ? best : std::nullopt;
}

}  // namespace betatune
