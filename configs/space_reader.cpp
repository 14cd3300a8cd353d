// From single parameters to a search space: names that refer to nothing are found here, where their
// places are known; SearchSpace::make checks the rest and its messages are given places.

#include <algorithm>
#include <set>

#include "configs/study_reader.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

struct ParsedConstraint {
  Expression expression;
  ConfigNode node;
};

// What expressions may name.
struct Words {
  std::set<std::string> parameters;
  std::set<std::string> choices;
};

Words words_of(const std::vector<ConfigNode::Entry>& entries,
               const std::vector<ParsedParameter>& parsed) {
  Words words;
  for (const ConfigNode::Entry& entry : entries) words.parameters.insert(entry.key);
  const auto add = [&](const Value& value) {
    if (const auto* word = std::get_if<std::string>(&value)) words.choices.insert(*word);
  };
  for (const ParsedParameter& each : parsed) {
    const Domain& domain = each.parameter.domain;
    if (const auto* ordinal = std::get_if<Ordinal>(&domain)) {
      std::for_each(ordinal->values.begin(), ordinal->values.end(), add);
    } else if (const auto* categorical = std::get_if<Categorical>(&domain)) {
      std::for_each(categorical->values.begin(), categorical->values.end(), add);
    } else if (const auto* constant = std::get_if<Constant>(&domain)) {
      add(constant->value);
    }
  }
  return words;
}

std::string guess_help(const std::string& word, const Words& words) {
  std::vector<std::string> candidates(words.parameters.begin(), words.parameters.end());
  candidates.insert(candidates.end(), words.choices.begin(), words.choices.end());
  const std::string guess = closest(word, candidates);
  return guess.empty() ? "a word must be a parameter or one of some parameter's values"
                       : "did you mean `" + guess + "`?";
}

// The word as a whole, not as a part of a longer one.
std::size_t find_word(const std::string& text, const std::string& word) {
  const auto inside = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !inside(text[at - 1]);
    if (begins && (end == text.size() || !inside(text[end]))) return at;
  }
  return 0;
}

bool check_words(const Expression& expression, const ConfigNode& node, const std::string& path,
                 const Words& words, Diagnostics& diagnostics) {
  bool fine = true;
  for (const std::string& word : expression.names()) {
    if (words.parameters.contains(word) || words.choices.contains(word)) continue;
    diagnostics.error("E0202", "`" + path + "` names the unknown parameter `" + word + "`",
                      node.mark_at(find_word(node.text(), word), static_cast<int>(word.size())),
                      guess_help(word, words));
    fine = false;
  }
  return fine;
}

bool check_when(const ParsedParameter& parsed, const Words& words, Diagnostics& diagnostics) {
  const ConfigNode* when = parsed.node.find("when");
  if (when == nullptr || !parsed.parameter.when) return true;
  const std::string path = "parameters." + parsed.parameter.name + ".when";
  if (when->kind() != ConfigNode::Kind::mapping) {
    return check_words(*parsed.parameter.when, *when, path, words, diagnostics);
  }
  bool fine = true;
  for (const ConfigNode::Entry& entry : when->entries()) {
    if (words.parameters.contains(entry.key)) continue;
    const std::vector<std::string> names(words.parameters.begin(), words.parameters.end());
    const std::string guess = closest(entry.key, names);
    diagnostics.error("E0202", "`" + path + "` names the unknown parameter `" + entry.key + "`",
                      entry.key_mark, guess.empty() ? "" : "did you mean `" + guess + "`?");
    fine = false;
  }
  return fine;
}

bool check_references(const std::vector<ParsedParameter>& parsed,
                      const std::vector<ParsedConstraint>& constraints, const Words& words,
                      Diagnostics& diagnostics) {
  bool fine = true;
  for (const ParsedParameter& each : parsed) {
    fine = check_when(each, words, diagnostics) && fine;
    if (const auto* derived = std::get_if<Derived>(&each.parameter.domain)) {
      const std::string path = "parameters." + each.parameter.name + ".derived";
      fine =
          check_words(derived->expression, *each.node.find("derived"), path, words, diagnostics) &&
          fine;
    }
  }
  for (const ParsedConstraint& each : constraints) {
    fine = check_words(each.expression, each.node, "constraints", words, diagnostics) && fine;
  }
  return fine;
}

// Bounds, choices and defaults of one parameter, apart from all others.
bool check_alone(const ParsedParameter& parsed, Diagnostics& diagnostics) {
  if (std::holds_alternative<Derived>(parsed.parameter.domain)) return true;
  Parameter alone = parsed.parameter;
  alone.when.reset();
  const auto made = SearchSpace::make({alone});
  if (made) return true;
  diagnostics.error("E0201", made.error().message, parsed.name_mark);
  return false;
}

std::vector<ParsedConstraint> read_constraints(const ConfigNode& node, Diagnostics& diagnostics,
                                               bool& fine) {
  std::vector<ConfigNode> nodes = node.items();
  if (node.kind() == ConfigNode::Kind::string) nodes = {node};
  if (nodes.empty() && !node.is_null() && node.kind() != ConfigNode::Kind::sequence) {
    read_detail::wrong_kind(node, "constraints", "a sequence of expressions", diagnostics);
    fine = false;
  }
  std::vector<ParsedConstraint> constraints;
  for (const ConfigNode& each : nodes) {
    if (auto expression = read_expression(each, "constraints", diagnostics)) {
      constraints.push_back({std::move(*expression), each});
    } else {
      fine = false;
    }
  }
  return constraints;
}

// The text between the backquotes that a message begins with.
std::string named_in(const std::string& message) {
  if (!message.starts_with('`')) return {};
  const std::size_t end = message.find('`', 1);
  return end == std::string::npos ? std::string() : message.substr(1, end - 1);
}

// Where a problem of the space as a whole belongs: a parameter, a constraint, or `parameters:`.
void report_space_problem(const std::string& message, const std::vector<ParsedParameter>& parsed,
                          const std::vector<ParsedConstraint>& constraints,
                          const ConfigNode& parameters_node, Diagnostics& diagnostics) {
  const std::string name = named_in(message);
  Mark mark = parameters_node.mark();
  for (const ParsedParameter& each : parsed) {
    if (each.parameter.name == name) mark = each.name_mark;
  }
  for (const ParsedConstraint& each : constraints) {
    if (each.expression.text() == name) mark = each.node.mark();
  }
  diagnostics.error("E0203", message, mark);
}

bool within_limits(const std::vector<ConfigNode::Entry>& entries, const ConfigNode& node,
                   Diagnostics& diagnostics) {
  if (entries.empty()) {
    diagnostics.error("E0203", "the search space has no parameters", node.mark(),
                      "add one like `lr: {type: float, min: 1e-5, max: 1e-1, scale: log}`");
    return false;
  }
  if (entries.size() > limits::kParameters) {
    diagnostics.error("E0203",
                      "the search space has " + std::to_string(entries.size()) +
                          " parameters; the most is " + std::to_string(limits::kParameters),
                      node.mark());
    return false;
  }
  return true;
}

}  // namespace

SearchSpace read_space(const std::vector<ConfigNode::Entry>& entries,
                       const ConfigNode& parameters_node, const ConfigNode& constraints_node,
                       Diagnostics& diagnostics) {
  bool fine = true;
  const auto constraints = read_constraints(constraints_node, diagnostics, fine);
  if (!within_limits(entries, parameters_node, diagnostics)) return {};
  std::vector<ParsedParameter> parsed;
  for (const ConfigNode::Entry& entry : entries) {
    auto each = read_parameter(entry, diagnostics);
    if (each && check_alone(*each, diagnostics)) {
      parsed.push_back(std::move(*each));
    } else {
      fine = false;
    }
  }
  // A parameter that could not be read may be what a word means: names count, choices are unknown.
  Words words = words_of(entries, parsed);
  if (parsed.size() == entries.size()) {
    fine = check_references(parsed, constraints, words, diagnostics) && fine;
  }
  if (!fine) return {};

  std::vector<Parameter> parameters;
  for (const ParsedParameter& each : parsed) parameters.push_back(each.parameter);
  std::vector<Expression> expressions;
  for (const ParsedConstraint& each : constraints) expressions.push_back(each.expression);
  auto space = SearchSpace::make(std::move(parameters), std::move(expressions));
  if (space) return std::move(space).value();
  report_space_problem(space.error().message, parsed, constraints, parameters_node, diagnostics);
  return {};
}

}  // namespace betatune
