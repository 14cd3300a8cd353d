#pragma once
/// The small expression language of `when:`, `constraints:` and `derived:`.
///
///   layers * hidden <= 12288        optimizer in [adamw, lamb] and dropout > 0.1
///   hidden / 8                      optimizer == "sgd"
///
/// Numbers, quoted or bare strings, true/false, parameter names (dots allowed), + - * / % ^,
/// == != < <= > >=, in [..], not in [..], and, or, not, parentheses, and the functions
/// abs min max log log2 log10 exp sqrt floor ceil round int. Pure: no side effects, no loops.
/// A bare word is a parameter if the space has one of that name, else a string; `...` in backquotes
/// is a name with other characters. docs/search-spaces.md has the grammar and the rules of
/// arithmetic.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "searchspaces/result.hpp"
#include "searchspaces/value.hpp"

namespace betatune {

struct ExpressionNode;

class Expression {
 public:
  /// Errors: invalid_argument with the 1-based column and what was expected there.
  static Result<Expression> parse(std::string_view text);
  /// The condition `parameter == values[0] or parameter == values[1] ...` of the map form of
  /// `when:`.
  static Expression member_of(const std::string& parameter, const std::vector<Value>& values);
  /// Both must hold.
  static Expression both(const Expression& a, const Expression& b);

  /// The source text, or for built expressions an equivalent one; parse(text()) is the same thing.
  const std::string& text() const { return text_; }
  /// Every bare word that is not a function: candidates for parameter names.
  std::set<std::string> names() const;

  /// Whether every bare word is either one of `known` or can only be meant as text: the other side
  /// of == != or `in` that has a parameter. Errors: invalid_argument with the word and its column.
  Status check_names(const std::set<std::string>& known) const;

  /// The value for a configuration. A name that the configuration lacks but `known` has is an
  /// *inactive* parameter: the result is empty (a condition on it does not hold, a constraint on it
  /// is not in force), except that `and` and `or` may be decided by their other operands. A name
  /// that is in neither is a string. Errors: type mismatch, division by zero, not finite.
  Result<std::optional<Value>> evaluate(const Configuration& configuration,
                                        const std::set<std::string>& known) const;
  /// True unless it evaluates to false or 0; empty results count as `if_inactive`.
  Result<bool> holds(const Configuration& configuration, const std::set<std::string>& known,
                     bool if_inactive) const;

  /// The syntax tree (searchspaces/expression_node.hpp), for the rest of this folder.
  const ExpressionNode& root() const { return *root_; }

 private:
  Expression(std::string text, std::shared_ptr<const ExpressionNode> root)
      : text_(std::move(text)), root_(std::move(root)) {}

  std::string text_;
  std::shared_ptr<const ExpressionNode> root_;
};

}  // namespace betatune
