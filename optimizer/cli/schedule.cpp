#include "optimizer/cli/schedule.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

#include "optimizer/cli/output.hpp"

namespace betatune {
namespace {

/// Of those that any two stretches in a row have differently, or that one of them lacks.
std::set<std::string> names_that_change(const std::vector<Stretch>& schedule) {
  std::set<std::string> names;
  for (std::size_t i = 1; i < schedule.size(); ++i) {
    const Json& before = schedule[i - 1].trial.params;
    const Json& after = schedule[i].trial.params;
    for (const auto& [from, to] : {std::pair(&before, &after), std::pair(&after, &before)}) {
      for (const auto& [name, value] : from->items()) {
        if (!to->contains(name) || to->at(name) != value) names.insert(name);
      }
    }
  }
  return names;
}

std::string cell(const Json& params, const std::string& name) {
  if (!params.contains(name)) return "-";
  const Json& value = params.at(name);
  if (value.is_number_float()) return short_number(value.get<double>());
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

Result<std::vector<Stretch>> read_schedule(StudyReader& reader, TrialRow last) {
  std::vector<Stretch> out;
  Step until = std::max(last.step, last.parent_step.value_or(0));
  for (std::optional<TrialRow> next = std::move(last); next;) {
    const Step from = next->parent_step.value_or(0);
    Stretch stretch{from, until, *std::exchange(next, std::nullopt)};
    until = from;
    if (stretch.trial.parent) {
      BETATUNE_TRY(next, reader.trial(TrialId{*stretch.trial.parent}));
      if (!next) return Error{ErrorKind::corrupt, "a trial's parent is missing"};
    }
    out.push_back(std::move(stretch));
  }
  std::ranges::reverse(out);
  return out;
}

Json schedule_json(const std::vector<Stretch>& schedule) {
  Json all = Json::array();
  for (const Stretch& each : schedule) {
    all.push_back({{"from", each.from},
                   {"until", each.until},
                   {"trial", each.trial.id},
                   {"params", each.trial.params}});
  }
  return all;
}

std::string schedule_text(const std::vector<Stretch>& schedule, const std::string& step) {
  if (schedule.size() < 2) return {};
  const std::set<std::string> names = names_that_change(schedule);
  std::vector<std::string> header = {"  " + step, "trial"};
  header.insert(header.end(), names.begin(), names.end());
  Table table(std::move(header));
  for (const Stretch& each : schedule) {
    std::vector<std::string> row = {fmt::format("  {} to {}", each.from, each.until),
                                    std::to_string(each.trial.id)};
    for (const std::string& name : names) row.push_back(cell(each.trial.params, name));
    table.add(std::move(row));
  }
  return table.text();
}

}  // namespace betatune
