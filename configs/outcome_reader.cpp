// Limits on reported metrics.

#include <algorithm>

#include "configs/study_reader.hpp"

namespace betatune {
namespace {

using Kind = ConfigNode::Kind;

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
