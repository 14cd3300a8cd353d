#include "searchspaces/inequality.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "searchspaces/expression_node.hpp"

namespace betatune {
namespace {

using Kind = ExpressionNode::Kind;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

Error at(int column, const std::string& what) {
  return {ErrorKind::invalid_argument, "column " + std::to_string(column) + ": " + what};
}

bool is_limit(const ExpressionNode& node) {
  if (node.kind != Kind::compare) return false;
  const Operator op = node.operators[0];
  return op == Operator::less || op == Operator::less_equal || op == Operator::greater ||
         op == Operator::greater_equal;
}

bool falls(Operator op) {
  return op == Operator::greater || op == Operator::greater_equal;
}

/// Whether the node by itself is arithmetic of numbers and names.
bool is_arithmetic(const ExpressionNode& node) {
  switch (node.kind) {
    case Kind::literal:
      return std::holds_alternative<std::int64_t>(node.literal) ||
             std::holds_alternative<double>(node.literal);
    case Kind::name:
    case Kind::negate:
    case Kind::power:
    case Kind::chain:
    case Kind::call:
      return true;
    case Kind::invert:
    case Kind::compare:
    case Kind::member:
    case Kind::all:
    case Kind::any:
      break;
  }
  return false;
}

Status check_sides(const ExpressionNode& root) {
  const ExpressionNode* wrong = nullptr;
  for (const ExpressionNode& side : root.children) {
    visit_nodes(side, [&](const ExpressionNode& node) {
      if (wrong == nullptr && !is_arithmetic(node)) wrong = &node;
    });
  }
  if (wrong == nullptr) return Ok{};
  return at(wrong->column, "expected numbers and names of metrics alone on each side of a limit");
}

double number_of(const ExpressionNode& side, std::span<const Scalar> slots) {
  std::string error;
  const Scalar value = evaluate_node(side, slots, error);
  return error.empty() && value.number() ? value.real : kUnknown;
}

}  // namespace

Result<Inequality> Inequality::parse(std::string_view text) {
  BETATUNE_TRY(ExpressionNode root, parse_expression(text));
  if (!is_limit(root)) {
    return at(1, "expected a limit like `peak_mem_gib <= 70`: two sides joined by <=, >=, < or >");
  }
  BETATUNE_CHECK(check_sides(root));
  std::set<std::string> words;
  visit_nodes(root, [&](const ExpressionNode& node) {
    if (node.kind == Kind::name) words.insert(node.name);
  });
  if (words.empty()) return at(1, "expected the name of a metric in the limit");
  std::vector<std::string> names(words.begin(), words.end());
  root = bind_names(std::move(root), [&](const std::string& name) -> std::optional<std::size_t> {
    return static_cast<std::size_t>(std::lower_bound(names.begin(), names.end(), name) -
                                    names.begin());
  });
  return Inequality(std::string(text), std::make_shared<const ExpressionNode>(std::move(root)),
                    std::move(names));
}

double Inequality::slack(const std::map<std::string, double>& values) const {
  std::vector<Scalar> slots;
  for (const std::string& name : names_) {
    const auto found = values.find(name);
    if (found == values.end()) return kUnknown;
    slots.push_back(Scalar::of(found->second));
  }
  const double left = number_of(root_->children[0], slots);
  const double right = number_of(root_->children[1], slots);
  const double slack = falls(root_->operators[0]) ? right - left : left - right;
  return std::isfinite(slack) ? slack : kUnknown;
}

}  // namespace betatune
