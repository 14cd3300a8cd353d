#include "optimizer/cli/front.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace betatune {
namespace {

std::vector<double> losses_of(const TrialRow& trial, const Objective& objective) {
  const Metrics known = trial.watched.is_object() ? trial.watched.get<Metrics>() : Metrics();
  return objective.outcomes.losses(*trial.loss, objective.outcomes.read(known));
}

}  // namespace

std::string front_summary(const StudyFront& front) {
  return fmt::format("{} trials that no other one beats in everything, hypervolume {}",
                     front.members.size(), short_number(front.hypervolume));
}

Result<ShownFront> read_front(StudyReader& reader, const Objective& objective) {
  std::vector<ShownFront::Member> all;
  TrialQuery query;
  query.state = "completed";
  BETATUNE_CHECK(reader.trials(query, [&](const TrialRow& trial) {
    if (!trial.loss || trial.violation != 0) return true;
    std::vector<double> losses = losses_of(trial, objective);
    const bool known = std::ranges::none_of(losses, [](double each) { return std::isnan(each); });
    if (known) all.push_back({trial, std::move(losses)});
    return true;
  }));
  std::vector<std::vector<double>> losses;
  for (const auto& each : all) losses.push_back(each.losses);
  ShownFront out{{}, front_of(objective.all, losses)};
  for (const std::size_t row : out.front.members) out.members.push_back(std::move(all[row]));
  std::ranges::stable_sort(out.members,
                           [](const auto& a, const auto& b) { return a.losses < b.losses; });
  return out;
}

Json front_json(const ShownFront& shown, const Objective& objective) {
  Json trials = Json::array();
  for (const ShownFront::Member& each : shown.members) {
    Json trial = trial_json(each.trial, objective);
    trial["values"] = values_json(objective.all, each.losses);
    trials.push_back(std::move(trial));
  }
  const Eigen::VectorXd& reference = shown.front.reference;
  return Json{{"hypervolume", shown.front.hypervolume},
              {"reference", reference.size() == 0
                                ? Json(nullptr)
                                : values_json(objective.all, {reference.begin(), reference.end()})},
              {"trials", std::move(trials)}};
}

std::string front_table(const ShownFront& shown, const Objective& objective) {
  std::vector<std::string> header = {"trial"};
  for (const ObjectiveSpec& each : objective.all) header.push_back(each.metric);
  header.emplace_back("parameters");
  Table table(std::move(header));
  for (const ShownFront::Member& each : shown.members) {
    std::vector<std::string> row = {std::to_string(each.trial.id)};
    for (std::size_t j = 0; j < each.losses.size(); ++j) {
      row.push_back(short_number(value_of(objective.all[j], each.losses[j])));
    }
    row.push_back(assignments_text(each.trial.params));
    table.add(std::move(row));
  }
  return table.text();
}

}  // namespace betatune
