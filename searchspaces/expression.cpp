#include "searchspaces/expression.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "searchspaces/expression_node.hpp"

namespace betatune {

namespace {

using Kind = ExpressionNode::Kind;

constexpr std::array kFunctions = {
    std::pair{"abs", Function::abs},     std::pair{"min", Function::min},
    std::pair{"max", Function::max},     std::pair{"log", Function::log},
    std::pair{"log2", Function::log2},   std::pair{"log10", Function::log10},
    std::pair{"exp", Function::exp},     std::pair{"sqrt", Function::sqrt},
    std::pair{"floor", Function::floor}, std::pair{"ceil", Function::ceil},
    std::pair{"round", Function::round}, std::pair{"int", Function::integer}};

Error wrong(const std::string& what) {
  return Error{ErrorKind::invalid_argument, what};
}

/// The name as the parser reads it back: bare where it can be, else in backquotes.
std::string written_name(const std::string& name) {
  const bool bare = !name.empty() && !is_reserved_word(name) &&
                    name.find_first_not_of(
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_.") == std::string::npos &&
                    name.find_first_of("0123456789.") != 0;
  return bare ? name : "`" + name + "`";
}

std::string written_value(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return to_text(value);
  std::string quoted = "\"";
  for (const char c : *text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

ExpressionNode literal_node(const Value& value) {
  ExpressionNode node;
  node.literal = value;
  return node;
}

ExpressionNode name_node(const std::string& name) {
  ExpressionNode node;
  node.kind = Kind::name;
  node.name = name;
  return node;
}

/// The words that `node` looks up, in the order of their slots.
std::vector<std::string> words_of(const ExpressionNode& node) {
  std::set<std::string> words;
  visit_nodes(node, [&](const ExpressionNode& each) {
    if (each.kind == Kind::name) words.insert(each.name);
  });
  return {words.begin(), words.end()};
}

std::shared_ptr<const ExpressionNode> rooted(ExpressionNode root) {
  const std::vector<std::string> words = words_of(root);
  return std::make_shared<const ExpressionNode>(
      bind_names(std::move(root), [&](const std::string& name) -> std::optional<std::size_t> {
        return static_cast<std::size_t>(std::lower_bound(words.begin(), words.end(), name) -
                                        words.begin());
      }));
}

}  // namespace

std::optional<Function> function_named(std::string_view name) {
  for (const auto& [word, function] : kFunctions) {
    if (name == word) return function;
  }
  return std::nullopt;
}

std::string function_names() {
  std::string all;
  for (const auto& [word, function] : kFunctions)
    all += (all.empty() ? "" : " ") + std::string(word);
  return all;
}

bool is_reserved_word(std::string_view word) {
  return word == "and" || word == "or" || word == "not" || word == "in" || word == "true" ||
         word == "false";
}

void visit_nodes(const ExpressionNode& node,
                 const std::function<void(const ExpressionNode&)>& visit) {
  visit(node);
  for (const ExpressionNode& child : node.children) visit_nodes(child, visit);
}

ExpressionNode bind_names(
    ExpressionNode node,
    const std::function<std::optional<std::size_t>(const std::string&)>& slot_of) {
  if (node.kind == Kind::name) {
    if (const auto slot = slot_of(node.name)) {
      node.slot = *slot;
    } else {
      node.kind = Kind::literal;
      node.literal = node.name;
    }
  }
  for (ExpressionNode& child : node.children) child = bind_names(std::move(child), slot_of);
  return node;
}

Result<Expression> Expression::parse(std::string_view text) {
  BETATUNE_TRY(ExpressionNode root, parse_expression(text));
  return Expression(std::string(text), rooted(std::move(root)));
}

Expression Expression::member_of(const std::string& parameter, const std::vector<Value>& values) {
  BETATUNE_ASSERT(!values.empty());
  ExpressionNode root;
  root.children.push_back(name_node(parameter));
  std::string text;
  for (const Value& value : values) {
    root.children.push_back(literal_node(value));
    text += (text.empty() ? "" : ", ") + written_value(value);
  }
  const bool one = values.size() == 1;
  root.kind = one ? Kind::compare : Kind::member;
  if (one) root.operators.push_back(Operator::equal);
  text = written_name(parameter) + (one ? " == " + text : " in [" + text + "]");
  return Expression(std::move(text), rooted(std::move(root)));
}

Expression Expression::both(const Expression& a, const Expression& b) {
  ExpressionNode root;
  root.kind = Kind::all;
  for (const Expression* part : {&a, &b}) {
    if (part->root_->kind == Kind::all) {
      root.children.insert(root.children.end(), part->root_->children.begin(),
                           part->root_->children.end());
    } else {
      root.children.push_back(*part->root_);
    }
  }
  return Expression("(" + a.text_ + ") and (" + b.text_ + ")", rooted(std::move(root)));
}

std::set<std::string> Expression::names() const {
  const std::vector<std::string> words = words_of(*root_);
  return {words.begin(), words.end()};
}

Result<std::optional<Value>> Expression::evaluate(const Configuration& configuration,
                                                  const std::set<std::string>& known) const {
  const std::vector<std::string> words = words_of(*root_);
  std::vector<Scalar> slots;
  slots.reserve(words.size());
  for (const std::string& word : words) {
    const auto found = configuration.find(word);
    slots.push_back(found != configuration.end() ? Scalar::of(found->second)
                    : known.contains(word)       ? Scalar{}
                                                 : Scalar::of(word));
  }
  std::string error;
  const Scalar result = evaluate_node(*root_, slots, error);
  if (!error.empty()) return wrong("`" + text_ + "`: " + error);
  return result.absent() ? std::optional<Value>() : std::optional<Value>(result.value());
}

Result<bool> Expression::holds(const Configuration& configuration,
                               const std::set<std::string>& known, bool if_inactive) const {
  BETATUNE_TRY(const std::optional<Value> value, evaluate(configuration, known));
  if (!value) return if_inactive;
  const auto holds = truth(Scalar::of(*value));
  if (!holds)
    return wrong("`" + text_ + "`: expected true or false, got the text `" + to_text(*value) + "`");
  return *holds;
}

Status Expression::check_names(const std::set<std::string>& known) const {
  std::string unknown;
  int column = 0;
  const auto is_word = [&](const ExpressionNode& node) {
    return node.kind == Kind::name && !known.contains(node.name);
  };
  const auto refuse = [&](const ExpressionNode& node) {
    if (unknown.empty() && is_word(node)) {
      unknown = node.name;
      column = node.column;
    }
  };
  refuse(*root_);
  visit_nodes(*root_, [&](const ExpressionNode& node) {
    const bool compares =
        node.kind == Kind::member ||
        (node.kind == Kind::compare &&
         (node.operators[0] == Operator::equal || node.operators[0] == Operator::not_equal));
    // A word may be text only where it is compared with something that is not a word itself.
    const bool all_words =
        std::none_of(node.children.begin(), node.children.end(), [&](const ExpressionNode& child) {
          return !is_word(child) && child.kind != Kind::literal;
        });
    if (compares && !all_words) return;
    for (const ExpressionNode& child : node.children) refuse(child);
  });
  if (unknown.empty()) return Ok{};
  return wrong("column " + std::to_string(column) + ": `" + unknown +
               "` is not a parameter of this space; correct the name, or compare a parameter with "
               "it if it is a value");
}

}  // namespace betatune
