#pragma once
/// Internal to this folder: a search space with its names resolved to indices.

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "searchspaces/axis.hpp"
#include "searchspaces/expression_node.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

/// What is known of one parameter beyond its declaration. Names in the expressions are bound to
/// indices of parameters, so that they are evaluated on one Scalar per parameter.
struct ParameterPlan {
  std::optional<Axis> axis;  ///< searched parameters
  std::size_t column = 0;
  double default_position = 0.5;  ///< where a NaN column goes if it turns out active
  std::optional<ExpressionNode> when;
  std::optional<ExpressionNode> derived;
  std::vector<std::size_t> parents;  ///< parameters that `when` and `derived` name
};

/// The value of every parameter by index, absent where inactive.
using Scalars = std::vector<Scalar>;

/// What could not be computed at a point: a condition or a derived parameter.
struct Obstacle {
  std::size_t parameter = 0;
  bool in_condition = false;
  std::string message;  ///< empty: nothing
};

struct SpaceData {
  std::vector<Parameter> parameters;
  std::vector<Expression> constraints;
  std::vector<Column> columns;
  std::vector<ParameterPlan> plans;
  std::vector<ExpressionNode> bound_constraints;
  std::vector<std::size_t> order;    ///< parameters, parents before children
  std::vector<std::size_t> by_name;  ///< parameters sorted by name
  std::vector<std::size_t> derived;  ///< the derived ones
  std::set<std::string> names;
  Eigen::VectorXd witness;  ///< a point that meets the constraints

  std::optional<std::size_t> index_of(std::string_view name) const;

  /// Whether `when` of a parameter holds; false with a message in `error` if it cannot be computed.
  bool active(std::size_t parameter, const Scalars& values, std::string& error) const;
  /// Values at a point of the unit cube; returns the first obstacle.
  Obstacle resolve(const Eigen::Ref<const Eigen::VectorXd>& point, Scalars& values) const;
  /// Values as a configuration has them, without a look at domains.
  Scalars read(const Configuration& configuration) const;
  /// Whether every derived parameter that is missing from `values` is rightly so.
  bool computes(const Scalars& values) const;
  /// Whether the constraint is met or not in force; false with a message if it cannot be computed.
  bool holds(std::size_t constraint, const Scalars& values, std::string& error) const;
  bool feasible(const Scalars& values) const;
  Configuration configuration(const Scalars& values) const;
  Eigen::VectorXd draw(Key key, std::uint64_t attempt) const;
  Eigen::VectorXd canonical(const Eigen::Ref<const Eigen::VectorXd>& point,
                            const Scalars& values) const;
};

/// "a, b and c" in backquotes and values: "a=1, b=0", for messages about one draw.
std::string describe_values(const SpaceData& data, const ExpressionNode& node,
                            const Scalars& values);

}  // namespace betatune
