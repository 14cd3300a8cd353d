#include "optimizer/cli/output.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "optimizer/budgets.hpp"

namespace betatune {
namespace {

const Json* find(const Json& json, const char* key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

std::string text_of(const Json* json, const std::string& otherwise) {
  return json != nullptr && json->is_string() ? json->get<std::string>() : otherwise;
}

Json time_or_null(const std::optional<std::int64_t>& at_us) {
  return at_us ? Json(utc_text(*at_us)) : Json(nullptr);
}

std::optional<double> number_of(const Json* json) {
  return json != nullptr && json->is_number() ? std::optional(json->get<double>()) : std::nullopt;
}

std::vector<ObjectiveSpec> objectives_of(const Json& document, const Objective& first) {
  const Json* several = find(document, "objectives");
  if (several == nullptr || !several->is_array() || several->empty()) {
    return {{first.metric, first.maximize ? Goal::maximize : Goal::minimize, first.target, {}}};
  }
  std::vector<ObjectiveSpec> out;
  for (const Json& each : *several) {
    const bool maximize = text_of(find(each, "goal"), "minimize") == "maximize";
    out.push_back({text_of(find(each, "metric"), "loss"),
                   maximize ? Goal::maximize : Goal::minimize, number_of(find(each, "target")),
                   number_of(find(each, "threshold"))});
  }
  return out;
}

/// Terminal columns, counting the starts of UTF-8 sequences.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string short_number(double number) {
  return fmt::format("{:.6g}", number);
}

std::string duration_text(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", std::max(0.0, seconds));
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string utc_text(std::int64_t at_us) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::time_t{at_us / 1'000'000}),
                     at_us / 1'000 % 1'000);
}

double value_of(const ObjectiveSpec& objective, double loss) {
  return objective.goal == Goal::maximize ? -loss : loss;
}

std::string values_text(const std::vector<ObjectiveSpec>& objectives,
                        const std::vector<double>& losses) {
  std::string text;
  for (std::size_t j = 0; j < objectives.size(); ++j) {
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", objectives[j].metric,
                        short_number(value_of(objectives[j], losses[j])));
  }
  return text;
}

Json values_json(const std::vector<ObjectiveSpec>& objectives, const std::vector<double>& losses) {
  Json out = Json::object();
  for (std::size_t j = 0; j < objectives.size(); ++j) {
    out[objectives[j].metric] = value_of(objectives[j], losses[j]);
  }
  return out;
}

Objective objective_of(const Json& document) {
  Objective objective;
  const Json* section = find(document, "objective");
  if (const Json* several = find(document, "objectives");
      several != nullptr && several->is_array() && !several->empty()) {
    section = &several->front();
  }
  if (section != nullptr) {
    objective.metric = text_of(find(*section, "metric"), objective.metric);
    objective.maximize = text_of(find(*section, "goal"), "minimize") == "maximize";
    const Json* target = find(*section, "target");
    if (target != nullptr && target->is_number()) objective.target = target->get<double>();
  }
  if (const Json* fidelity = find(document, "fidelity")) {
    objective.step = text_of(find(*fidelity, "name"), "epoch");
  }
  objective.all = objectives_of(document, objective);
  // A study that ran under constraints of a later version stays readable without them.
  if (auto outcomes = Outcomes::of(document)) objective.outcomes = std::move(outcomes).value();
  return objective;
}

std::vector<std::string> broken_limits(const TrialRow& trial, const Objective& objective) {
  const Metrics known = trial.watched.is_object() ? trial.watched.get<Metrics>() : Metrics();
  std::vector<std::string> out;
  for (const Inequality& each : objective.outcomes.constraints()) {
    if (each.slack(known) > 0) out.push_back(each.text());
  }
  return out;
}

std::string limits_text(const TrialRow& trial, const Objective& objective) {
  const std::vector<std::string> broken = broken_limits(trial, objective);
  if (!broken.empty()) return fmt::format("breaks {}", fmt::join(broken, ", "));
  return trial.violation ? "ok" : "-";
}

std::string state_text(const TrialRow& trial) {
  return trial.outcome ? *trial.outcome : trial.state;
}

std::optional<double> seconds_of(const TrialRow& trial) {
  if (!trial.work_us) return std::nullopt;
  return static_cast<double>(*trial.work_us) / 1e6;
}

std::string assignments_text(const Json& object) {
  std::string text;
  for (const auto& [name, value] : object.items()) {
    if (!text.empty()) text += ' ';
    text += name + '=';
    if (value.is_number_float()) {
      text += short_number(value.get<double>());
    } else {
      text += value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
  return text;
}

void print_section(const char* title, const Json& object) {
  if (!object.is_object() || object.empty()) return;
  fmt::print("\n{}\n", title);
  for (const auto& [name, value] : object.items()) {
    fmt::print("  {}: {}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

Json trial_json(const TrialRow& trial, const Objective& objective) {
  return Json{{"id", trial.id},
              {"state", trial.state},
              {"outcome", or_null(trial.outcome)},
              {"loss", or_null(trial.loss)},
              {"value", trial.loss ? Json(objective.value(*trial.loss)) : Json(nullptr)},
              {"violation", or_null(trial.violation)},
              {"broken_limits", broken_limits(trial, objective)},
              {"step", trial.step},
              {"params", trial.params},
              {"metrics", trial.metrics},
              {"origin", trial.origin},
              {"repeats", or_null(trial.repeats)},
              {"parent", or_null(trial.parent)},
              {"parent_step", or_null(trial.parent_step)},
              {"replaces", or_null(trial.replaces)},
              {"attempts", trial.attempts},
              {"failures", trial.failures},
              {"failure", or_null(trial.failure)},
              {"message", or_null(trial.message)},
              {"decision", or_null(trial.decision)},
              {"trainer", or_null(trial.trainer)},
              {"checkpoint", or_null(trial.checkpoint)},
              {"note", trial.note},
              {"created_at", utc_text(trial.created_at_us)},
              {"started_at", time_or_null(trial.started_at_us)},
              {"ended_at", time_or_null(trial.ended_at_us)},
              {"seconds", or_null(seconds_of(trial))}};
}

Json best_trial_json(const StudySummary& study, const Objective& objective) {
  if (!study.best) return nullptr;
  Json best = trial_json(*study.best, objective);
  const Repeated& result = study.best_result;
  best["result"] = {{"value", objective.value(result.mean())},
                    {"step", study.best_level},
                    {"trainings", result.losses.size()},
                    {"deviation", result.deviation()},
                    {"confirmed", result.confirmed}};
  return best;
}

std::string level_text(const std::string& step, Step level, Step full_budget) {
  const std::string text = fmt::format("{} {}", step, level);
  return level < full_budget ? fmt::format("{} of {}", text, full_budget) : text;
}

std::string best_value_text(const StudySummary& study, const Objective& objective) {
  return fmt::format("trial {}: {} = {}{} at {}", study.best->id, objective.metric,
                     short_number(objective.value(study.best_result.mean())),
                     study.best_result.text(),
                     level_text(objective.step, study.best_level, full_budget_of(study.document)));
}

std::vector<std::string> Table::lines() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::vector<std::string> lines;
  for (const auto& row : rows_) {
    std::string& line = lines.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    while (line.ends_with(' ')) line.pop_back();
  }
  return lines;
}

std::string Table::text() const {
  std::string text;
  for (const std::string& line : lines()) text += line + "\n";
  return text;
}

void print_json(const Json& json) {
  fmt::print("{}\n", json_text(json));
}

}  // namespace betatune
