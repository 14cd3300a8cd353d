#pragma once
/// Internal to this folder: one searched parameter as a map between its values and [0,1].
///
/// Linear grids, ordinals and categoricals: value k of n owns [k/n, (k+1)/n) and is encoded at the
/// middle. Log-scale integers: the border between neighbours a < b is their geometric mean, the
/// outer borders lie as far beyond the first and last value as the step above each would put them,
/// and a value is encoded at its own logarithm. No tables: a range of 2^50 integers costs what ten
/// do.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "searchspaces/expression_node.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

struct RealAxis {
  double min = 0, max = 1;
  Scale scale = Scale::linear;
  double low = 0, high = 1;  ///< the bounds on the scale
};

/// min, min + step, ... computed as (first + k * stride) / unit where that is exact in decimal, so
/// that 0.1 steps give 0.3 and not 0.30000000000000004.
struct RealGridAxis {
  double min = 0, step = 1;
  std::uint64_t levels = 1;
  double first = 0, stride = 1, unit = 1;
  double value(std::uint64_t k) const;
};

struct IntegerAxis {
  std::int64_t min = 0, step = 1;
  std::uint64_t levels = 1;
};

struct LogIntegerAxis {
  std::int64_t min = 1, step = 1;
  std::uint64_t levels = 1;
  double low = 0, high = 1;  ///< logarithms of the outer borders
};

struct ChoiceAxis {
  std::vector<Value> values;
  std::vector<std::pair<Value, std::size_t>> sorted;  ///< normalised value -> index
  bool ordered = false;
};

/// A value on the scale where its parameter is uniform, and back.
double forward(Scale scale, double value);
double backward(Scale scale, double x);

class Axis {
 public:
  /// Precondition: a searched domain. Errors: what is wrong with it, without the parameter's name.
  static Result<Axis> make(const Domain& domain);

  Column::Kind kind() const;
  std::uint64_t levels() const;  ///< 0 if continuous
  /// The value at u in [0,1]; text points into this object.
  Scalar at(double u) const;
  /// Where a value is encoded; nothing if it is not in the domain.
  std::optional<double> position(const Value& value) const;
  /// The value in the declared type and exactly on its grid. Errors: what was expected.
  Result<Value> canonical(const Value& value) const;
  double snap(double u) const;
  /// Where value number k is encoded. Precondition: not continuous, k < levels().
  double level(std::uint64_t k) const;
  /// "a number from 1e-5 to 0.1": completes "expected ...".
  std::string expected() const;
  /// The values of an ordinal or categorical, else null.
  const std::vector<Value>* choices() const;

 private:
  using Form = std::variant<RealAxis, RealGridAxis, IntegerAxis, LogIntegerAxis, ChoiceAxis>;
  static Result<Axis> make_integer(const Integer& integer);
  explicit Axis(Form form) : form_(std::move(form)) {}
  Form form_;
};

}  // namespace betatune
