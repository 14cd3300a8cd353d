#pragma once
/// Internal to this folder: the syntax tree of an Expression, and values while one is evaluated.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "searchspaces/result.hpp"
#include "searchspaces/value.hpp"

namespace betatune {

/// A value that owns nothing: text points into the space, the configuration or the tree that it
/// came from. A plain struct, because every expression at every candidate point of a search makes
/// some.
struct Scalar {
  enum class Kind { absent, boolean, integer, real, text };  ///< absent: of an inactive parameter
  Kind kind = Kind::absent;
  std::int64_t integer = 0;  ///< exact value of an integer; 0 or 1 of a boolean
  double real = 0;           ///< value of any number
  const std::string* text = nullptr;

  static Scalar of(bool value) {
    return {Kind::boolean, value ? 1 : 0, value ? 1.0 : 0.0, nullptr};
  }
  static Scalar of(std::int64_t value) {
    return {Kind::integer, value, static_cast<double>(value), nullptr};
  }
  static Scalar of(double value) { return {Kind::real, 0, value, nullptr}; }
  static Scalar of(const std::string& value) { return {Kind::text, 0, 0, &value}; }
  static Scalar of(const Value& value) {
    return std::visit([](const auto& each) { return of(each); }, value);
  }
  static Scalar of(Value&&) = delete;  // it would point into a temporary
  static Scalar of(std::string&&) = delete;

  bool absent() const { return kind == Kind::absent; }
  bool whole() const { return kind == Kind::boolean || kind == Kind::integer; }
  bool number() const { return whole() || kind == Kind::real; }
  /// Precondition: not absent.
  Value value() const;
};

enum class Operator {
  add,
  subtract,
  multiply,
  divide,
  modulo,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
};
enum class Function { abs, min, max, log, log2, log10, exp, sqrt, floor, ceil, round, integer };

/// Sums, products, `and` and `or` are chains of any length, so that only nesting adds depth.
struct ExpressionNode {
  enum class Kind {
    literal,
    name,
    negate,
    invert,
    power,
    chain,    ///< operators[i] stands between children[i] and children[i + 1]
    compare,  ///< operators[0] between two children
    member,   ///< children[0] in the list of the other children
    all,
    any,
    call,
  };
  Kind kind = Kind::literal;
  int column = 1;
  Value literal = false;
  std::string name;
  std::size_t slot = 0;  ///< name: index into the values that evaluate_node is given
  Function function = Function::abs;
  std::vector<Operator> operators;
  std::vector<ExpressionNode> children;
};

std::optional<Function> function_named(std::string_view name);
/// All function names, separated by spaces.
std::string function_names();
/// Whether the word has a meaning of its own: and, or, not, in, true, false.
bool is_reserved_word(std::string_view word);

Result<ExpressionNode> parse_expression(std::string_view text);

/// Calls `visit` for the node and everything below it.
void visit_nodes(const ExpressionNode& node,
                 const std::function<void(const ExpressionNode&)>& visit);
/// The same tree with every name's slot replaced; a name for which `slot_of` has nothing becomes
/// text.
ExpressionNode bind_names(
    ExpressionNode node,
    const std::function<std::optional<std::size_t>(const std::string&)>& slot_of);

/// Evaluates; never throws, never allocates unless something is wrong. `absent` operands make the
/// result absent, but `and` and `or` look at what the other side decides.
/// On failure `error` holds "column 9: division by zero" and the result is absent.
Scalar evaluate_node(const ExpressionNode& node, std::span<const Scalar> slots, std::string& error);

/// Whether a condition with this result holds: nothing for text.
std::optional<bool> truth(const Scalar& scalar);

}  // namespace betatune
