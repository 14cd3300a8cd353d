#pragma once
/// A search space: named parameters, the conditions under which each exists, and the constraints
/// between them; with the map to and from the unit cube in which searchers work.
///
/// Encoding: one column per *searched* parameter (float, int, ordinal, categorical), in declaration
/// order. A column of an inactive parameter is NaN (`is_inactive`). Numbers go through their scale
/// to [0,1]; of n grid points or choices the k-th is at (k + 0.5) / n, so that a uniform draw hits
/// each with equal probability. An int with scale log is encoded at its logarithm, and owns the
/// part of [0,1] that is nearest to it there: small values are drawn more often, as the scale says.
/// Constants and derived parameters have no column.
///
/// decode(encode(c)) == c: exactly for everything but continuous floats, which keep 12 digits of
/// their range.

#include <Eigen/Core>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "searchspaces/expression.hpp"
#include "searchspaces/random.hpp"
#include "searchspaces/result.hpp"
#include "searchspaces/value.hpp"

namespace betatune {

enum class Scale { linear, log, logit };

struct Real {
  double min = 0;
  double max = 1;
  Scale scale = Scale::linear;
  std::optional<double> step;  ///< grid min, min + step, ...; linear scale only
};
struct Integer {
  std::int64_t min = 0;
  std::int64_t max = 1;
  Scale scale = Scale::linear;  ///< linear or log
  std::int64_t step = 1;
};
/// Values in a meaningful order (32 < 64 < 128): numbers or words.
struct Ordinal {
  std::vector<Value> values;
};
struct Categorical {
  std::vector<Value> values;
};
struct Constant {
  Value value;
};
struct Derived {
  Expression expression;
};

using Domain = std::variant<Real, Integer, Ordinal, Categorical, Constant, Derived>;

/// Where a person believes that the optimum is, and how firmly. It bends a search, it rules nothing
/// out.
enum class Confidence { low, medium, high };
struct Prior {
  Value center;
  Confidence confidence = Confidence::medium;
};

struct Parameter {
  std::string name;
  Domain domain;
  std::optional<Value> default_value = {};
  std::optional<Expression> when = {};  ///< exists only where this holds
  std::optional<Prior> prior = {};
};

/// A prior as a searcher sees it.
struct ColumnPrior {
  double center = 0.5;  ///< encoded
  Confidence confidence = Confidence::medium;
};

/// What a searcher needs to know of one column of the unit cube.
struct Column {
  enum class Kind { continuous, grid, ordinal, categorical };
  Kind kind = Kind::continuous;
  std::size_t parameter = 0;  ///< index into parameters()
  std::size_t levels = 0;     ///< number of distinct values; 0 for continuous
  bool conditional = false;   ///< may be inactive
  std::optional<ColumnPrior> prior = {};
};

inline bool is_inactive(double encoded) {
  return std::isnan(encoded);
}

struct SpaceData;

/// Immutable, so copies share everything and cost nothing.
class SearchSpace {
 public:
  SearchSpace();  ///< without parameters

  /// Checks everything that can be checked without a file: names, bounds, choices, defaults,
  /// conditions (unknown parameter, cycle), constraints (unknown parameter, not satisfiable by
  /// any of 10,000 draws), and that expressions can be computed in 1,000 draws. Errors: every
  /// problem, one per line, each beginning in backquotes with the parameter's name, or with the
  /// text of the constraint.
  static Result<SearchSpace> make(std::vector<Parameter> parameters,
                                  std::vector<Expression> constraints = {});

  std::span<const Parameter> parameters() const;
  std::span<const Expression> constraints() const;
  std::span<const Column> columns() const;
  const Parameter* find(std::string_view name) const;
  /// Number of columns of the unit cube.
  int dims() const { return static_cast<int>(columns().size()); }
  /// Number of distinct configurations if finite and below 2^53 (conditions counted as if always
  /// active, so an upper bound), else nothing.
  std::optional<double> size() const;

  /// Completes a configuration that a person wrote: fills defaults for active searched parameters
  /// that are missing (error if one has no default), converts numbers to the declared type, snaps
  /// nothing, adds constants and derived ones (they may be given if they are right, so that a
  /// completed configuration completes to itself). Errors: unknown, inactive or out-of-domain
  /// values, broken constraints; all problems in one message, one per line.
  Result<Configuration> complete(const Configuration& partial) const;
  /// OK if `configuration` has exactly the active parameters, each in its domain, constraints met.
  Status check(const Configuration& configuration) const;
  /// Only the constraints between parameters (`check` includes them). One that names an inactive
  /// parameter is not in force; one that cannot be computed is not met.
  bool satisfies_constraints(const Configuration& configuration) const;

  /// A draw, uniform on each scale (priors are the searchers' concern), that meets the constraints,
  /// by rejection: at most 1,000,000 tries, then the draw that make() found. Column i is draw i of
  /// its try, so parameters added at the end change none before them unless a constraint rejects.
  Configuration sample(Key key) const;
  /// The same draw encoded; much cheaper where no configuration is needed.
  Eigen::VectorXd sample_point(Key key) const;
  /// dims() numbers in [0,1], NaN where inactive. Precondition: check(configuration).
  Eigen::VectorXd encode(const Configuration& configuration) const;
  /// The same for a configuration of an earlier version of the space: nothing if a value is outside
  /// its domain here. Parameters that it lacks are NaN, those that the space lacks are not looked
  /// at.
  std::optional<Eigen::VectorXd> try_encode(const Configuration& configuration) const;
  /// The configuration at a point: values clamped to [0,1] and put on their grid, conditions
  /// resolved from parents to children, derived ones computed. A NaN column that turns out active
  /// takes the parameter's default, or 0.5. Constraints are not looked at; a derived parameter that
  /// cannot be computed there (division by zero) is left out, and `feasible` is false.
  Configuration decode(const Eigen::Ref<const Eigen::VectorXd>& point) const;
  /// Whether decode(point) would pass check(), without making it: for thousands of candidates.
  bool feasible(const Eigen::Ref<const Eigen::VectorXd>& point) const;
  /// encode(decode(point)) without the detour (continuous columns keep their bits): snapped,
  /// clamped, NaN where inactive. Two points are the same configuration if these are equal.
  Eigen::VectorXd canonical(const Eigen::Ref<const Eigen::VectorXd>& point) const;
  /// The nearest point of `column` that a value of its parameter has; `u` itself (in [0,1]) if
  /// continuous; NaN if `u` is.
  double snap(std::size_t column, double u) const;
  /// Where value number `k` of a column is encoded, k < columns()[column].levels: what to walk
  /// through a finite column with. Precondition: the column is not continuous.
  double level(std::size_t column, std::uint64_t k) const;

 private:
  explicit SearchSpace(std::shared_ptr<const SpaceData> data) : data_(std::move(data)) {}
  std::shared_ptr<const SpaceData> data_;
};

}  // namespace betatune
