#include "optimizer/cli/rungs.hpp"

#include <fmt/format.h>
#include <memory>

#include "optimizer/replay.hpp"
#include "optimizer/schedulers/rungs.hpp"

namespace betatune {
namespace {

/// Null without a fidelity, or if it is not of this version.
std::unique_ptr<Scheduler> scheduler_of(const Json& document) {
  if (!document.contains("fidelity")) return nullptr;
  const auto spec = spec_of_document(document);
  if (!spec) return nullptr;
  Diagnostics ignored;
  return make_scheduler(*spec.value(), ignored);
}

std::string fate_text(const RungVisit& visit, const RungPlan& plan, std::size_t compared,
                      const TrialRow& trial) {
  switch (visit.fate) {
    case RungFate::went_on:
      return "went on";
    case RungFate::under_way:
      return "is on its way to the next";
    case RungFate::paused: {
      if (plan.brackets) return "is paused until its bracket goes on";
      const std::size_t quota = rung_quota(compared, plan.eta);
      return quota == 0 ? "is paused: too few to compare"
                        : fmt::format("is paused: the best {} go on", quota);
    }
    case RungFate::ended:
      break;
  }
  if (trial.outcome != "stopped") return trial.outcome.value_or("ended");
  return trial.decision ? "stopped" : "was paused until it was closed";
}

}  // namespace

RungPlan rung_plan(const Json& document) {
  const auto scheduler = scheduler_of(document);
  return scheduler == nullptr ? RungPlan{} : scheduler->rungs();
}

Result<std::map<std::uint64_t, std::uint64_t>> read_replacements(StudyReader& reader,
                                                                 const StudySummary& study) {
  std::map<std::uint64_t, std::uint64_t> found;
  const auto scheduler = scheduler_of(study.document);
  if (scheduler == nullptr || !scheduler->copies()) return found;
  BETATUNE_CHECK(reader.trials({}, [&](const TrialRow& trial) {
    if (trial.replaces) found.emplace(*trial.replaces, trial.id);
    return true;
  }));
  return found;
}

std::string ordinal(std::size_t number) {
  const std::size_t last = number % 10;
  const bool teen = number % 100 / 10 == 1;
  const char* ending = teen || last == 0 || last > 3 ? "th"
                       : last == 1                   ? "st"
                       : last == 2                   ? "nd"
                                                     : "rd";
  return fmt::format("{}{}", number, ending);
}

Result<std::optional<RungTable>> read_rungs(StudyReader& reader, const StudySummary& study) {
  RungPlan plan = rung_plan(study.document);
  if (plan.levels.empty()) return std::optional<RungTable>();
  BETATUNE_TRY(Outcomes outcomes, Outcomes::of(study.document));
  const bool by_metrics = !outcomes.empty();
  RungTable table(std::move(plan), std::move(outcomes));
  BETATUNE_CHECK(reader.all_reports(by_metrics, [&](std::uint64_t trial, const ReportRow& report) {
    table.add(trial, report);
    return true;
  }));
  BETATUNE_CHECK(reader.all_attempts([&](const TrialOfAttempt& trial, const AttemptRow& attempt) {
    table.add(trial, attempt);
    return true;
  }));
  table.compare();
  return std::optional(std::move(table));
}

std::string rungs_text(const RungTable& rungs, const Objective& objective) {
  Table table({objective.step, "reached", "went on", "under way", "paused", "ended",
               rungs.has_several_objectives() ? "front" : "best " + objective.metric});
  for (RungLine& line : rungs.lines()) {
    const std::string best = rungs.has_several_objectives() ? std::to_string(line.front)
                             : line.best ? short_number(objective.value(*line.best))
                                         : "-";
    const auto count = [&](RungFate fate) { return std::to_string(line.count[fate]); };
    table.add({std::to_string(line.step), std::to_string(line.reached), count(RungFate::went_on),
               count(RungFate::under_way), count(RungFate::paused), count(RungFate::ended), best});
  }
  return table.text();
}

Json rungs_json(const RungTable& rungs, const Objective& objective) {
  Json all = Json::array();
  for (const RungLine& line : rungs.lines()) {
    Json json{{"step", line.step},
              {"reached", line.reached},
              {"compared", line.compared},
              {"best", line.best ? Json(objective.value(*line.best)) : Json(nullptr)}};
    if (rungs.has_several_objectives()) json["front"] = line.front;
    for (const auto& each : enum_names(RungFate{})) {
      const auto found = line.count.find(each.value);
      json[std::string(each.name)] = found == line.count.end() ? 0 : found->second;
    }
    all.push_back(std::move(json));
  }
  return all;
}

std::string visit_text(const RungVisit& visit, const RungTable& rungs, const TrialRow& trial,
                       std::optional<std::uint64_t> replaced_by, const Objective& objective) {
  const std::size_t compared = rungs.lines()[visit.rung].compared;
  const std::string place = visit.place == 0
                                ? "out of the comparison"
                                : fmt::format("{} of {}", ordinal(visit.place), compared);
  const std::string fate = visit.fate == RungFate::ended && replaced_by
                               ? fmt::format("was replaced by trial {}", *replaced_by)
                               : fate_text(visit, rungs.plan(), compared, trial);
  return fmt::format("{} {}: {}, {}", objective.step, rungs.plan().levels[visit.rung], place, fate);
}

Json visits_json(const RungTable& rungs, const TrialRow& trial, const Objective& objective) {
  Json all = Json::array();
  const std::vector<RungLine> lines = rungs.lines();
  for (const RungVisit& visit : rungs.of(trial.id)) {
    all.push_back({{"step", lines[visit.rung].step},
                   {"value", visit.loss ? Json(objective.value(*visit.loss)) : Json(nullptr)},
                   {"place", visit.place == 0 ? Json(nullptr) : Json(visit.place)},
                   {"compared", lines[visit.rung].compared},
                   {"fate", to_name(visit.fate)}});
  }
  return all;
}

}  // namespace betatune
