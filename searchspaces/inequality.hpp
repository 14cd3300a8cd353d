#pragma once
/// A limit on numbers that are known only afterwards: "peak_mem_gib <= 70". Outcome constraints of
/// a study are such limits on reported metrics.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "searchspaces/expression.hpp"

namespace betatune {

class Inequality {
 public:
  /// A comparison (<= >= < >) of two sums of numbers and names, in the language of expressions. A
  /// name with other characters than letters, digits, '_' and '.' stands in backquotes. `<` is read
  /// as `<=`: of measured numbers nobody can tell them apart.
  /// Errors: invalid_argument, beginning with "column 9: ".
  static Result<Inequality> parse(std::string_view text);

  const std::string& text() const { return text_; }
  /// All names, sorted.
  const std::vector<std::string>& names() const { return names_; }

  /// The smaller side minus the larger one: at most 0 where the limit is met, in the unit of its
  /// sides. NaN where a name is missing or a side cannot be computed (a division by zero).
  double slack(const std::map<std::string, double>& values) const;

  bool operator==(const Inequality& other) const { return text_ == other.text_; }

 private:
  Inequality(std::string text, std::shared_ptr<const ExpressionNode> root,
             std::vector<std::string> names)
      : text_(std::move(text)), root_(std::move(root)), names_(std::move(names)) {}

  std::string text_;
  std::shared_ptr<const ExpressionNode> root_;  ///< its names are bound to their places in names_
  std::vector<std::string> names_;
};

}  // namespace betatune
