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

// From the nodes: a parameter that cannot be read for another reason still says what its choices
// are.
Words words_of(const std::vector<ConfigNode::Entry>& entries) {
  Words words;
  const auto add = [&](const ConfigNode& node) {
    if (node.kind() == ConfigNode::Kind::string) words.choices.insert(node.text());
  };
  for (const ConfigNode::Entry& entry : entries) {
    words.parameters.insert(entry.key);
    if (const ConfigNode* value = entry.value.find("value")) add(*value);
    if (const ConfigNode* values = entry.value.find("values")) {
      std::for_each(values->items().begin(), values->items().end(), add);
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

// What SearchSpace::make says of conditions whatever else is wrong with a space.
constexpr std::string_view kCycle = "depends on itself";
constexpr std::string_view kNoSuchValue = "is not a value of";

// One problem of SearchSpace::make, which tells one a line: "`subject`: what".
struct SpaceProblem {
  std::string subject;
  std::string what;
};

std::vector<SpaceProblem> split_problems(std::string_view message) {
  std::vector<SpaceProblem> problems;
  while (!message.empty()) {
    const std::size_t end = std::min(message.find("\n`"), message.size());
    const std::string_view line = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    const std::size_t close = line.find("`: ");
    if (line.starts_with('`') && close != std::string_view::npos && close > 0) {
      problems.push_back(
          {std::string(line.substr(1, close - 1)), std::string(line.substr(close + 3))});
    } else {
      problems.push_back({{}, std::string(line)});
    }
  }
  return problems;
}

// The part of a parameter that a problem is about: the key that it begins with, the expression that
// it quotes, or else the parameter's name.
Mark place_of(const ParsedParameter& parsed, const std::string& what) {
  if (what.starts_with(kCycle) || what.find(kNoSuchValue) != std::string::npos) {
    for (const char* key : {"when", "derived"}) {
      if (const ConfigNode* node = parsed.node.find(key)) return node->mark();
    }
  }
  const std::string first = what.substr(0, what.find_first_of(" :"));
  for (const ConfigNode::Entry& entry : parsed.node.entries()) {
    const bool choices = entry.key == "values" && what.find("value") != std::string::npos;
    const bool quoted = !entry.value.text().empty() && what.starts_with("`" + entry.value.text());
    if (entry.key == first || choices || quoted) return entry.value.mark();
  }
  return parsed.name_mark;
}

// Bounds, choices and defaults of one parameter, apart from all others.
bool check_alone(const ParsedParameter& parsed, Diagnostics& diagnostics) {
  if (std::holds_alternative<Derived>(parsed.parameter.domain)) return true;
  Parameter alone = parsed.parameter;
  alone.when.reset();
  const auto made = SearchSpace::make({alone});
  if (made) return true;
  for (const SpaceProblem& problem : split_problems(made.error().message)) {
    diagnostics.error("E0201", "`" + problem.subject + "`: " + problem.what,
                      place_of(parsed, problem.what));
  }
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

// Where a problem of the space as a whole belongs: a parameter, a constraint, or `parameters:`.
void report_space_problem(const SpaceProblem& problem, const std::vector<ParsedParameter>& parsed,
                          const std::vector<ParsedConstraint>& constraints,
                          const ConfigNode& parameters_node, Diagnostics& diagnostics) {
  Mark mark = parameters_node.mark();
  for (const ParsedParameter& each : parsed) {
    if (each.parameter.name == problem.subject) mark = place_of(each, problem.what);
  }
  for (const ParsedConstraint& each : constraints) {
    if (each.expression.text() == problem.subject) mark = each.node.mark();
  }
  const std::string subject = problem.subject.empty() ? "" : "`" + problem.subject + "`: ";
  diagnostics.error("E0203", subject + problem.what, mark);
}

std::vector<Expression> expressions_of(const std::vector<ParsedConstraint>& constraints) {
  std::vector<Expression> expressions;
  for (const ParsedConstraint& each : constraints) expressions.push_back(each.expression);
  return expressions;
}

// With other problems in the space, only these can be told: the rest of what SearchSpace::make
// would say may follow from those problems.
std::vector<SpaceProblem> further_problems(const std::vector<ParsedParameter>& parsed,
                                           const std::vector<ParsedConstraint>& constraints) {
  std::vector<Parameter> parameters;
  for (const ParsedParameter& each : parsed) {
    parameters.push_back(each.parameter);
    if (!each.broken || std::holds_alternative<Derived>(each.parameter.domain)) continue;
    parameters.back().default_value.reset();
    parameters.back().prior.reset();
    parameters.back().domain = Constant{std::int64_t{0}};
  }
  const auto made = SearchSpace::make(std::move(parameters), expressions_of(constraints));
  if (made) return {};
  std::vector<SpaceProblem> problems = split_problems(made.error().message);
  std::erase_if(problems, [](const SpaceProblem& each) {
    return !each.what.starts_with(kCycle) && each.what.find(kNoSuchValue) == std::string::npos;
  });
  return problems;
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
    if (each && !check_alone(*each, diagnostics)) each->broken = true;
    fine = each && !each->broken && fine;
    if (each) parsed.push_back(std::move(*each));
  }
  fine = check_references(parsed, constraints, words_of(entries), diagnostics) && fine;
  const auto report = [&](const std::vector<SpaceProblem>& problems) {
    for (const SpaceProblem& problem : problems) {
      report_space_problem(problem, parsed, constraints, parameters_node, diagnostics);
    }
  };
  if (!fine) {
    report(further_problems(parsed, constraints));
    return {};
  }
  std::vector<Parameter> parameters;
  for (const ParsedParameter& each : parsed) parameters.push_back(each.parameter);
  auto space = SearchSpace::make(std::move(parameters), expressions_of(constraints));
  if (space) return std::move(space).value();
  report(split_problems(space.error().message));
  return {};
}

}  // namespace betatune
