#include "searchspaces/space_data.hpp"

#include <algorithm>

namespace betatune {

std::optional<std::size_t> SpaceData::index_of(std::string_view name) const {
  const auto found = std::lower_bound(
      by_name.begin(), by_name.end(), name,
      [&](std::size_t index, std::string_view wanted) { return parameters[index].name < wanted; });
  if (found == by_name.end() || parameters[*found].name != name) return std::nullopt;
  return *found;
}

bool SpaceData::active(std::size_t parameter, const Scalars& values, std::string& error) const {
  const auto& when = plans[parameter].when;
  if (!when) return true;
  const Scalar result = evaluate_node(*when, values, error);
  if (result.absent()) return false;
  const std::optional<bool> holds = truth(result);
  if (!holds) error = "expected true or false, got the text `" + *result.text + "`";
  return holds.value_or(false);
}

Obstacle SpaceData::resolve(const Eigen::Ref<const Eigen::VectorXd>& point, Scalars& values) const {
  BETATUNE_ASSERT(point.size() == static_cast<Eigen::Index>(columns.size()));
  values.assign(parameters.size(), Scalar{});
  Obstacle first;
  std::string error;
  const auto note = [&](std::size_t parameter, bool in_condition) {
    if (!error.empty() && first.message.empty()) first = {parameter, in_condition, error};
    error.clear();
  };
  for (const std::size_t index : order) {
    const ParameterPlan& plan = plans[index];
    const bool exists = active(index, values, error);
    note(index, true);
    if (!exists) continue;
    if (plan.axis) {
      const double u = point[static_cast<Eigen::Index>(plan.column)];
      values[index] =
          plan.axis->at(is_inactive(u) ? plan.default_position : std::clamp(u, 0.0, 1.0));
    } else if (plan.derived) {
      values[index] = evaluate_node(*plan.derived, values, error);
      note(index, false);
    } else {
      values[index] = Scalar::of(std::get<Constant>(parameters[index].domain).value);
    }
  }
  return first;
}

Scalars SpaceData::read(const Configuration& configuration) const {
  Scalars values(parameters.size());
  auto given = configuration.begin();
  for (const std::size_t index : by_name) {
    const std::string& name = parameters[index].name;
    while (given != configuration.end() && given->first < name) ++given;
    if (given == configuration.end()) break;
    if (given->first == name) values[index] = Scalar::of(given->second);
  }
  return values;
}

bool SpaceData::computes(const Scalars& values) const {
  std::string error;
  for (const std::size_t index : derived) {
    if (!values[index].absent() || !active(index, values, error)) continue;
    if (!evaluate_node(*plans[index].derived, values, error).absent() || !error.empty())
      return false;
  }
  return true;
}

bool SpaceData::holds(std::size_t constraint, const Scalars& values, std::string& error) const {
  const Scalar result = evaluate_node(bound_constraints[constraint], values, error);
  if (!error.empty()) return false;
  if (result.absent()) return true;
  const std::optional<bool> holds = truth(result);
  if (!holds) error = "expected true or false, got the text `" + *result.text + "`";
  return holds.value_or(false);
}

bool SpaceData::feasible(const Scalars& values) const {
  std::string error;
  for (std::size_t i = 0; i < bound_constraints.size(); ++i) {
    if (!holds(i, values, error)) return false;
  }
  return true;
}

Configuration SpaceData::configuration(const Scalars& values) const {
  Configuration made;
  for (const std::size_t index : by_name) {
    if (!values[index].absent()) {
      made.emplace_hint(made.end(), parameters[index].name, values[index].value());
    }
  }
  return made;
}

Eigen::VectorXd SpaceData::draw(Key key, std::uint64_t attempt) const {
  Stream stream(fold_in(key, attempt));
  Eigen::VectorXd point(static_cast<Eigen::Index>(columns.size()));
  for (double& u : point) u = stream.uniform();
  return point;
}

Eigen::VectorXd SpaceData::canonical(const Eigen::Ref<const Eigen::VectorXd>& point,
                                     const Scalars& values) const {
  Eigen::VectorXd out(point.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto at = static_cast<Eigen::Index>(i);
    const std::size_t index = columns[i].parameter;
    const ParameterPlan& plan = plans[index];
    if (values[index].absent()) {
      out[at] = std::numeric_limits<double>::quiet_NaN();
    } else {
      const double u = is_inactive(point[at]) ? plan.default_position : point[at];
      out[at] = plan.axis->snap(std::clamp(u, 0.0, 1.0));
    }
  }
  return out;
}

std::string describe_values(const SpaceData& data, const ExpressionNode& node,
                            const Scalars& values) {
  std::set<std::size_t> slots;
  visit_nodes(node, [&](const ExpressionNode& each) {
    if (each.kind == ExpressionNode::Kind::name) slots.insert(each.slot);
  });
  std::string all;
  for (const std::size_t slot : slots) {
    if (values[slot].absent()) continue;
    all += (all.empty() ? "" : ", ") + data.parameters[slot].name + "=" +
           to_text(values[slot].value());
  }
  return all;
}

}  // namespace betatune
