#include "optimizer/rung_table.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "optimizer/schedulers/rungs.hpp"

namespace betatune {
namespace {

constexpr double kWorst = std::numeric_limits<double>::infinity();

}  // namespace

void RungTable::visit(std::uint64_t trial, Climb& climb, Step step, const Result& result) {
  const int rung = rung_at(plan_.levels, step);
  if (rung <= climb.highest) return;
  climb.highest = rung;
  const auto at = static_cast<std::size_t>(rung);
  visits_[at].push_back({trial, at, result.reports, result.loss, result.violation, {}, 0});
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
    climb.after[report.attempt] = now;
  } else if (report.loss) {
    visit(trial, climb, report.step, {now.reports, report.loss, report.step, now.violation});
  }
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

void RungTable::compare() {
  const auto key = [](const RungVisit& visit) {
    return std::tuple(visit.loss ? visit.violation : kWorst, visit.loss.value_or(kWorst),
                      visit.trial);
  };
  for (std::vector<RungVisit>& visits : visits_) {
    std::ranges::sort(visits, {}, key);
    std::size_t place = 0;
    for (RungVisit& visit : visits) {
      const Climb& climb = climbs_.at(visit.trial);
      visit.fate = fate_of(climb, visit.rung);
      const bool left = climb.outcome == "failed" || climb.outcome == "cancelled";
      if (!left) visit.place = ++place;
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
      if (visit.place == 1) line.best = visit.loss;
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
