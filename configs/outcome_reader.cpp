// What is wanted of the reported metrics: objectives, and limits on the others.

#include <algorithm>
#include <set>

#include "configs/study_reader.hpp"

namespace betatune {
namespace {

using Kind = ConfigNode::Kind;

void check_distinct(const ConfigNode& sequence, const std::vector<ObjectiveSpec>& objectives,
                    Diagnostics& diagnostics) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (seen.insert(objectives[i].metric).second) continue;
    diagnostics.error("E0208", "`" + objectives[i].metric + "` is an objective twice",
                      sequence.items()[i].mark(), "keep one of them");
  }
}

// With some targets alone, nobody could say when the study has reached its own.
void check_targets(const ConfigNode& sequence, const std::vector<ObjectiveSpec>& objectives,
                   Diagnostics& diagnostics) {
  const auto with_target = std::ranges::count_if(
      objectives, [](const ObjectiveSpec& each) { return each.target.has_value(); });
  if (with_target == 0 || with_target == std::ssize(objectives)) return;
  diagnostics.error("E0208", "some objectives have a target and others do not", sequence.mark(),
                    "give all of them one: the study ends when one trial reaches them all");
}

// A threshold without anything to compare with would be ignored.
void check_threshold_of_one(const ConfigNode& sequence, const ObjectiveSpec& objective,
                            Diagnostics& diagnostics) {
  if (!objective.threshold) return;
  diagnostics.error("E0208", "`threshold` has no use with one objective",
                    sequence.items()[0].find("threshold")->mark(),
                    "remove it, or write a limit under outcome_constraints");
}

std::optional<Inequality> read_limit(const ConfigNode& node,
                                     const std::vector<std::string>& parameter_names,
                                     Diagnostics& diagnostics) {
  std::string text;
  if (!read_config(node, "outcome_constraints", diagnostics, text)) return std::nullopt;
  auto parsed = Inequality::parse(text);
  if (!parsed) {
    std::string message = parsed.error().message;
    const std::size_t column = take_column(message);
    diagnostics.error("E0202", "in an expression of `outcome_constraints`: " + message,
                      node.mark_at(column - 1));
    return std::nullopt;
  }
  for (const std::string& name : parsed.value().names()) {
    if (std::ranges::find(parameter_names, name) == parameter_names.end()) continue;
    diagnostics.error("E0202",
                      "in an expression of `outcome_constraints`: `" + name +
                          "` is a parameter; these are limits on reported metrics",
                      node.mark_at(std::min(text.find(name), text.size())),
                      "limit parameters under `constraints`, or report it under another name");
    return std::nullopt;
  }
  return std::move(parsed).value();
}

}  // namespace

void read_objectives(const ConfigNode& root, const StudyFile& file, StudySpec& spec,
                     Diagnostics& diagnostics) {
  spec.objective = file.objective;
  spec.objectives = {spec.objective};
  const ConfigNode* several = root.find("objectives");
  if (several == nullptr) return;
  if (root.find("objective") != nullptr) {
    diagnostics.error("E0208", "`objective` and `objectives` are both given", several->mark(),
                      "keep one of them");
    return;
  }
  if (!file.objectives || several->kind() != Kind::sequence) return;  // already reported
  if (file.objectives->empty() || file.objectives->size() > kMostObjectives) {
    diagnostics.error("E0105",
                      "a study has 1 to " + std::to_string(kMostObjectives) +
                          " objectives, found " + std::to_string(file.objectives->size()),
                      several->mark(), "make the others limits under outcome_constraints");
    return;
  }
  spec.objectives.clear();
  for (const ObjectiveFields& each : *file.objectives) {
    spec.objectives.push_back({each.metric, each.goal, each.target, each.threshold});
  }
  spec.objective = spec.objectives.front();
  check_distinct(*several, spec.objectives, diagnostics);
  check_targets(*several, spec.objectives, diagnostics);
  if (spec.objectives.size() == 1) check_threshold_of_one(*several, spec.objective, diagnostics);
}

std::vector<Inequality> read_outcome_constraints(const ConfigNode& node,
                                                 const std::vector<std::string>& parameter_names,
                                                 Diagnostics& diagnostics) {
  std::vector<ConfigNode> nodes = node.items();
  if (node.kind() == Kind::string) nodes = {node};
  if (nodes.empty() && !node.is_null() && node.kind() != Kind::sequence) {
    read_detail::wrong_kind(node, "outcome_constraints", "a sequence of limits", diagnostics);
  }
  std::vector<Inequality> out;
  for (const ConfigNode& each : nodes) {
    auto limit = read_limit(each, parameter_names, diagnostics);
    if (!limit) continue;
    if (std::ranges::find(out, *limit) != out.end()) {
      diagnostics.error("E0208", "`" + limit->text() + "` is an outcome constraint twice",
                        each.mark(), "keep one of them");
      continue;
    }
    out.push_back(*std::move(limit));
  }
  return out;
}

}  // namespace betatune
