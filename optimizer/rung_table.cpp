#include "optimizer/rung_table.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "optimizer/schedulers/rungs.hpp"

namespace betatune {

void RungTable::visit(std::uint64_t trial, Climb& climb, Step step, const Result& result) {
  const int rung = rung_at(plan_.levels, step);
  if (rung <= climb.highest) return;
  climb.highest = rung;
  const auto at = static_cast<std::size_t>(rung);
  visits_[at].push_back({trial, at, result.reports, result.loss, result.violation, result.losses});
}

std::vector<double> RungTable::losses_of(const Climb& climb, std::optional<double> loss) const {
  if (!loss || !has_several_objectives()) return {};
  std::vector<double> losses = outcomes_.losses(*loss, outcomes_.read(climb.watched));
  const bool known = std::ranges::none_of(losses, [](double each) { return std::isnan(each); });
  return known ? losses : std::vector<double>();
}

void RungTable::add(std::uint64_t trial, const ReportRow& report) {
  Climb& climb = climbs_[trial];
  Result& now = climb.now;
  ++now.reports;
  if (!outcomes_.empty()) {
    outcomes_.remember(report.metrics.get<Metrics>(), climb.watched);
    now.violation = outcomes_.violation(outcomes_.read(climb.watched));
  }
  if (report.loss && (!now.loss || report.step >= now.loss_step)) {
    now.loss = report.loss;
    now.loss_step = report.step;
  }
  if (!plan_.passing) {
    now.losses = losses_of(climb, now.loss);
    climb.after[report.attempt] = now;
    return;
  }
  // Objectives may be reported one after the other.
  const bool is_newest = has_several_objectives() && now.loss_step == report.step;
  const std::optional<double> loss = is_newest ? now.loss : report.loss;
  const std::vector<double> losses = losses_of(climb, loss);
  if (has_several_objectives() ? losses.empty() : !loss) return;
  visit(trial, climb, report.step, {now.reports, loss, report.step, now.violation, losses});
}

void RungTable::add(const TrialOfAttempt& trial, const AttemptRow& attempt) {
  Climb& climb = climbs_[trial.id];
  climb.state = trial.state;
  climb.outcome = trial.outcome;
  if (plan_.passing || attempt.end != "reached") return;
  const auto later = climb.after.upper_bound(attempt.attempt);
  const Result result = later == climb.after.begin() ? Result{} : std::prev(later)->second;
  visit(trial.id, climb, attempt.until, result);
}

RungFate RungTable::fate_of(const Climb& climb, std::size_t rung) const {
  if (static_cast<int>(rung) < climb.highest) return RungFate::went_on;
  if (climb.state == "closed") return RungFate::ended;
  return climb.state == "paused" ? RungFate::paused : RungFate::under_way;
}

bool RungTable::is_compared(const RungVisit& visit) const {
  const auto& outcome = climbs_.at(visit.trial).outcome;
  return outcome != "failed" && outcome != "cancelled";
}

/// As the schedulers compare them.
std::vector<RungResult> RungTable::results_of(const std::vector<RungVisit>& visits) const {
  if (has_several_objectives()) {
    std::vector<RungLosses> measured;
    for (const RungVisit& visit : visits) {
      // Who has left makes nobody else's front.
      measured.push_back({TrialId{visit.trial}, visit.violation,
                          is_compared(visit) ? visit.losses : std::vector<double>()});
    }
    return ranked_by_fronts(measured);
  }
  std::vector<RungResult> results;
  for (const RungVisit& visit : visits) {
    results.push_back(RungResult::of(TrialId{visit.trial}, visit.loss, visit.violation));
  }
  return results;
}

void RungTable::sort(std::vector<RungVisit>& visits) const {
  std::ranges::sort(visits, {}, &RungVisit::trial);
  std::vector<std::pair<RungResult, RungVisit>> compared;
  const std::vector<RungResult> results = results_of(visits);
  for (std::size_t i = 0; i < visits.size(); ++i) {
    visits[i].in_front =
        has_several_objectives() && results[i].violation == 0 && results[i].merit < 1;
    compared.emplace_back(results[i], std::move(visits[i]));
  }
  std::ranges::sort(compared, {}, &std::pair<RungResult, RungVisit>::first);
  for (std::size_t i = 0; i < visits.size(); ++i) visits[i] = std::move(compared[i].second);
}

void RungTable::compare() {
  for (std::vector<RungVisit>& visits : visits_) {
    sort(visits);
    std::size_t place = 0;
    for (RungVisit& visit : visits) {
      visit.fate = fate_of(climbs_.at(visit.trial), visit.rung);
      if (is_compared(visit)) visit.place = ++place;
    }
  }
}

std::vector<RungLine> RungTable::lines() const {
  std::vector<RungLine> lines;
  for (std::size_t rung = 0; rung < visits_.size(); ++rung) {
    RungLine& line = lines.emplace_back();
    line.step = plan_.levels[rung];
    for (const RungVisit& visit : visits_[rung]) {
      ++line.reached;
      ++line.count[visit.fate];
      line.compared = std::max(line.compared, visit.place);
      line.front += visit.in_front ? 1 : 0;
      if (visit.place == 1 && !has_several_objectives()) line.best = visit.loss;
    }
  }
  return lines;
}

std::vector<RungVisit> RungTable::of(std::uint64_t trial) const {
  std::vector<RungVisit> found;
  for (const std::vector<RungVisit>& visits : visits_) {
    const auto at = std::ranges::find(visits, trial, &RungVisit::trial);
    if (at != visits.end()) found.push_back(*at);
  }
  return found;
}

}  // namespace betatune
