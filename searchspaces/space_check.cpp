// What a configuration that comes from outside must be: SearchSpace::check and ::complete.

#include <algorithm>
#include <cmath>
#include <utility>

#include "searchspaces/space_data.hpp"

namespace betatune {

namespace {

/// Equal but for the type of a number and the last digits of a computed one.
bool same_value(const Value& a, const Value& b) {
  if (a == b) return true;
  double x = 0;
  double y = 0;
  const bool numbers = !std::holds_alternative<bool>(a) && !std::holds_alternative<bool>(b) &&
                       to_number(a, &x) && to_number(b, &y);
  return numbers && std::abs(x - y) <= 1e-12 * std::max(std::abs(x), std::abs(y));
}

/// Goes through a configuration from parents to children and collects what is wrong with it.
class Examiner {
 public:
  /// `fill`: take defaults, constants and derived values for what is missing (complete), instead of
  /// calling it a problem (check).
  Examiner(const SpaceData& data, const Configuration& given, bool fill)
      : data_(data),
        given_(given),
        fill_(fill),
        values_(data.parameters.size()),
        owned_(data.parameters.size()),
        broken_(data.parameters.size(), false) {}

  Status examine() {
    for (const std::size_t index : data_.order) {
      const ParameterPlan& plan = data_.plans[index];
      broken_[index] = std::any_of(plan.parents.begin(), plan.parents.end(),
                                   [&](std::size_t parent) { return broken_[parent]; });
      if (!broken_[index]) examine(index);
    }
    for (const auto& [name, value] : given_) {
      if (!data_.index_of(name)) problem(name, "is not a parameter of this space; remove it");
    }
    if (problems_.empty()) examine_constraints();
    if (problems_.empty()) return Ok{};
    return Error{ErrorKind::invalid_argument, problems_};
  }

  Configuration configuration() const { return data_.configuration(values_); }

 private:
  void problem(const std::string& name, const std::string& what) {
    problems_ += (problems_.empty() ? "`" : "\n`") + name + "`: " + what;
  }
  void broken(std::size_t index, const std::string& what) {
    broken_[index] = true;
    problem(data_.parameters[index].name, what);
  }

  void examine(std::size_t index) {
    const Parameter& parameter = data_.parameters[index];
    const auto found = given_.find(parameter.name);
    const Value* value = found == given_.end() ? nullptr : &found->second;
    std::string error;
    const bool active = data_.active(index, values_, error);
    if (!error.empty()) {
      broken(index, "its condition `" + parameter.when->text() + "`: " + error);
    } else if (!active) {
      if (value != nullptr) {
        broken(index, "does not exist here, because `" + parameter.when->text() +
                          "` does not hold; remove it");
      }
    } else if (data_.plans[index].axis) {
      searched(index, value);
    } else {
      computed(index, value);
    }
  }

  void searched(std::size_t index, const Value* value) {
    const Parameter& parameter = data_.parameters[index];
    const Axis& axis = *data_.plans[index].axis;
    if (value == nullptr && fill_ && parameter.default_value) value = &*parameter.default_value;
    if (value == nullptr) {
      broken(index, "is missing" + std::string(fill_ ? " and has no default" : "") + "; give " +
                        axis.expected());
    } else if (fill_) {
      auto converted = axis.canonical(*value);
      if (!converted) return broken(index, converted.error().message);
      owned_[index] = std::move(converted).value();
      values_[index] = Scalar::of(owned_[index]);
    } else if (axis.position(*value)) {
      values_[index] = Scalar::of(*value);
    } else {
      broken(index, axis.canonical(*value).error().message);
    }
  }

  /// Constants and derived parameters: there is one right value.
  void computed(std::size_t index, const Value* value) {
    const Parameter& parameter = data_.parameters[index];
    if (data_.plans[index].derived) {
      std::string error;
      values_[index] = evaluate_node(*data_.plans[index].derived, values_, error);
      if (!error.empty()) {
        const std::string& text = std::get<Derived>(parameter.domain).expression.text();
        return broken(index, "`" + text + "` cannot be computed: " + error);
      }
    } else {
      values_[index] = Scalar::of(std::get<Constant>(parameter.domain).value);
    }
    const bool exists = !values_[index].absent();
    if (value != nullptr && !(exists && same_value(*value, values_[index].value()))) {
      broken(index, "is `" + to_text(*value) + "` but must be " +
                        (exists ? "`" + to_text(values_[index].value()) + "`" : "absent") +
                        "; leave it out, it is computed");
    } else if (value == nullptr && exists && !fill_) {
      broken(index, "is missing; it must be `" + to_text(values_[index].value()) + "`");
    }
  }

  void examine_constraints() {
    for (std::size_t i = 0; i < data_.constraints.size(); ++i) {
      std::string error;
      if (data_.holds(i, values_, error)) continue;
      const std::string with =
          " with " + describe_values(data_, data_.bound_constraints[i], values_);
      problem(data_.constraints[i].text(),
              error.empty() ? "this constraint is not met" + with : error + with);
    }
  }

  const SpaceData& data_;
  const Configuration& given_;
  bool fill_;
  Scalars values_;
  std::vector<Value> owned_;  ///< converted values, to which text in values_ points
  std::vector<bool> broken_;
  std::string problems_;
};

}  // namespace

Result<Configuration> SearchSpace::complete(const Configuration& partial) const {
  Examiner examiner(*data_, partial, true);
  BETATUNE_CHECK(examiner.examine());
  return examiner.configuration();
}

Status SearchSpace::check(const Configuration& configuration) const {
  return Examiner(*data_, configuration, false).examine();
}

}  // namespace betatune
