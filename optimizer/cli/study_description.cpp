#include "optimizer/cli/study_description.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "configs/study_file.hpp"
#include "optimizer/budgets.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/scheduler.hpp"

namespace betatune {
namespace {

constexpr int kDraws = 3;

using Row = std::vector<std::string>;

// Two blanks in front of each line.
std::string aligned(std::vector<Row> rows) {
  for (Row& row : rows) row.front().insert(0, "  ");
  Table table(std::move(rows.front()));
  for (std::size_t i = 1; i < rows.size(); ++i) table.add(std::move(rows[i]));
  return table.text();
}

std::string number(double value) {
  return to_text(Value(value));
}

std::string list(const std::vector<Value>& values) {
  constexpr std::size_t kShown = 12;
  std::string text;
  for (std::size_t i = 0; i < std::min(values.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + to_text(values[i]);
  }
  if (values.size() > kShown) text += fmt::format(", ... ({} values)", values.size());
  return text;
}

// Kind, values and scale of a domain.
struct Describe {
  Row operator()(const Real& real) const {
    const std::string step = real.step ? " step " + number(*real.step) : "";
    return {"float", number(real.min) + " to " + number(real.max) + step, to_name(real.scale)};
  }
  Row operator()(const Integer& integer) const {
    const std::string step = integer.step == 1 ? "" : fmt::format(" step {}", integer.step);
    return {"int", fmt::format("{} to {}{}", integer.min, integer.max, step),
            to_name(integer.scale)};
  }
  Row operator()(const Ordinal& ordinal) const { return {"ordinal", list(ordinal.values), ""}; }
  Row operator()(const Categorical& categorical) const {
    return {"categorical", list(categorical.values), ""};
  }
  Row operator()(const Constant& constant) const {
    return {"constant", to_text(constant.value), ""};
  }
  Row operator()(const Derived& derived) const {
    return {"derived", derived.expression.text(), ""};
  }
};

std::string prior_text(const std::optional<Prior>& prior) {
  if (!prior) return "";
  return fmt::format("{} ({})", to_text(prior->center), to_name(prior->confidence));
}

std::string space_table(const SearchSpace& space) {
  std::vector<Row> rows = {{"parameter", "type", "values", "scale", "default", "exists when"}};
  const bool believes = std::ranges::any_of(
      space.parameters(), [](const Parameter& each) { return each.prior.has_value(); });
  if (believes) rows.front().push_back("prior");
  for (const Parameter& each : space.parameters()) {
    Row row = std::visit(Describe{}, each.domain);
    row.insert(row.begin(), each.name);
    row.push_back(each.default_value ? to_text(*each.default_value) : "");
    row.push_back(each.when ? each.when->text() : "");
    if (believes) row.push_back(prior_text(each.prior));
    rows.push_back(std::move(row));
  }
  return aligned(std::move(rows));
}

// In the largest unit that divides it: 48 h, 90 min, 45 s.
std::string time_text(const Duration& duration) {
  for (const auto& [name, seconds] : {std::pair{"h", 3600.0}, std::pair{"min", 60.0}}) {
    const double count = duration.seconds / seconds;
    if (count >= 1 && count == std::floor(count)) return number(count) + " " + name;
  }
  return number(duration.seconds) + " s";
}

std::string budget(const StudySpec& spec) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (spec.stopping.trials) add(fmt::format("{} trials", *spec.stopping.trials));
  if (spec.stopping.wall_time) add(time_text(*spec.stopping.wall_time));
  for (const Budget& each : budgets_of(spec.stopping, {})) {
    add(number(each.limit) + " " + each.unit);
  }
  if (spec.objective.target) add("until " + number(*spec.objective.target));
  return text.empty() ? "until its driver ends it" : text;
}

std::string ranks(const ResourcesSpec& resources) {
  if (resources.widths) {
    return fmt::format(", {} ranks by rung", fmt::join(resources.widths->choices, ", "));
  }
  return resources.world() > 1 ? fmt::format(", {} ranks", resources.world()) : "";
}

std::string trainer(const TrainerSpec& spec) {
  if (spec.plugin) return "plug-in " + *spec.plugin;
  if (!spec.command) return "external";
  std::string text = spec.has_ranks() ? "a command per rank:" : "command";
  for (const std::string& argument : *spec.command) text += " " + argument;
  return text;
}

std::string policy(const std::string& chosen, const std::string& wanted) {
  return chosen == wanted ? chosen : chosen + " (auto)";
}

std::string fidelity(const StudySpec& spec) {
  if (!spec.fidelity) return "none: each trial is trained fully, in one step";
  return fmt::format("{} {} to {}, {}", spec.fidelity->name, spec.fidelity->min, spec.fidelity->max,
                     spec.fidelity->resumable ? "resumable" : "not resumable");
}

std::vector<Configuration> draws(const StudySpec& spec) {
  std::vector<Configuration> out;
  const Key key = fold_in(root_key(spec.study.seed.value_or(0)), "check");
  for (int i = 0; i < kDraws; ++i) {
    out.push_back(spec.space.sample(fold_in(key, static_cast<std::uint64_t>(i))));
  }
  return out;
}

// Four digits are enough to look at; in the order of the space.
std::string draw_text(const Configuration& configuration, const SearchSpace& space) {
  std::string text = "  ";
  for (const Parameter& each : space.parameters()) {
    const auto found = configuration.find(each.name);
    if (found == configuration.end()) continue;
    const auto* real = std::get_if<double>(&found->second);
    text += fmt::format("{}{}={}", text.size() > 2 ? "  " : "", each.name,
                        real != nullptr ? fmt::format("{:.4g}", *real) : to_text(found->second));
  }
  return text + "\n";
}

}  // namespace

std::string objectives_text(const StudySpec& spec) {
  std::string text;
  for (const ObjectiveSpec& each : spec.objectives) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", to_name(each.goal), each.metric);
  }
  return text;
}

std::string description_text(const StudySpec& spec) {
  const std::string seed =
      spec.study.seed ? fmt::format("seed {}", *spec.study.seed) : "seed drawn at the start";
  std::string text = aligned({
      {"study", fmt::format("{} ({})", spec.study.name, seed)},
      {spec.objectives.size() > 1 ? "objectives" : "objective", objectives_text(spec)},
      {"budget", budget(spec)},
      {"fidelity", fidelity(spec)},
      {"algorithm", policy(searcher_name(spec), spec.algorithm.searcher.name)},
      {"scheduler", policy(scheduler_name(spec), spec.algorithm.scheduler.name)},
      {"trainer", trainer(spec.trainer) + ranks(spec.resources)},
      {"storage", spec.storage.path},
  });
  text += "\n" + space_table(spec.space);
  if (const auto size = spec.space.size()) {
    text += fmt::format("  at most {} configurations\n", number(*size));
  }
  if (!spec.space.constraints().empty()) text += "\n  constraints\n";
  for (const Expression& each : spec.space.constraints()) text += "    " + each.text() + "\n";
  if (!spec.outcome_constraints.empty()) text += "\n  outcome constraints\n";
  for (const Inequality& each : spec.outcome_constraints) text += "    " + each.text() + "\n";
  text += "\n  three draws from the space\n";
  for (const Configuration& each : draws(spec)) text += "  " + draw_text(each, spec.space);
  return text;
}

Json description_json(const StudySpec& spec) {
  Json parameters = Json::array();
  for (const Parameter& each : spec.space.parameters()) {
    Json parameter = spec.document["parameters"][each.name];
    parameter["name"] = each.name;
    if (each.when) parameter["when"] = each.when->text();
    parameters.push_back(std::move(parameter));
  }
  Json constraints = Json::array();
  for (const Expression& each : spec.space.constraints()) constraints.push_back(each.text());
  Json limits = Json::array();
  for (const Inequality& each : spec.outcome_constraints) limits.push_back(each.text());
  Json samples = Json::array();
  for (const Configuration& each : draws(spec)) samples.push_back(to_json(each));
  return {{"schema", "betatune.check/1"},
          {"ok", true},
          {"problems", Json::array()},
          {"problem_count", 0},
          {"study", spec.study.name},
          {"objective", encode_json(spec.objective)},
          {"objectives", encode_json(spec.objectives)},
          {"trials", spec.stopping.trials ? Json(*spec.stopping.trials) : Json()},
          {"full_budget", spec.full_budget()},
          {"algorithm", searcher_name(spec)},
          {"scheduler", scheduler_name(spec)},
          {"storage", spec.storage.path},
          {"parameters", parameters},
          {"constraints", constraints},
          {"outcome_constraints", limits},
          {"draws", samples}};
}

}  // namespace betatune
