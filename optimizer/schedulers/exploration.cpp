#include "optimizer/schedulers/exploration.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "optimizer/evolution/mutation.hpp"

namespace betatune {
namespace {

constexpr int kTries = 100;

double times(const Real& domain, double value, double factor) {
  if (domain.scale != Scale::logit) return std::clamp(value * factor, domain.min, domain.max);
  const double odds = value / (1 - value) * factor;
  return std::clamp(odds / (1 + odds), domain.min, domain.max);
}

/// The number of the value of a grid that is nearest to `value * factor`, another one than that of
/// `value` unless the grid ends there.
std::uint64_t moved_on_grid(double value, double factor, double min, double step,
                            std::uint64_t levels) {
  const double last = static_cast<double>(levels - 1);
  const double from = std::round((value - min) / step);
  double to = std::round((value * factor - min) / step);
  if (to == from) to += factor > 1 ? 1 : -1;
  return static_cast<std::uint64_t>(std::clamp(to, 0.0, last));
}

double number_of(const Value& value) {
  double number = 0;
  const bool is_number = to_number(value, &number);
  BETATUNE_ASSERT(is_number);
  return number;
}

}  // namespace

/// A configuration in the making: points of the unit cube, and the exact value where it is known.
struct Exploration::Draft {
  const Configuration& parent;
  Eigen::VectorXd point;
  std::map<std::string, Value> exact = {};
  std::set<std::string> changed = {};
};

Exploration::Exploration(SearchSpace space, const std::vector<std::string>& mutate, double resample)
    : space_(std::move(space)), resample_(resample) {
  for (std::size_t j = 0; j < space_.columns().size(); ++j) {
    if (std::ranges::find(mutate, name_of(j)) != mutate.end()) columns_.push_back(j);
  }
}

const std::string& Exploration::name_of(std::size_t column) const {
  return space_.parameters()[space_.columns()[column].parameter].name;
}

/// Another value of an active column, near to its own.
void Exploration::move(std::size_t column, bool up, Draft& draft) const {
  const Column& kind = space_.columns()[column];
  const Parameter& parameter = space_.parameters()[kind.parameter];
  const Value& value = draft.parent.at(parameter.name);
  const double factor = up ? kPerturbUp : kPerturbDown;
  double& u = draft.point[static_cast<Eigen::Index>(column)];
  if (const auto* real = std::get_if<Real>(&parameter.domain)) {
    if (real->step) {
      u = space_.level(
          column, moved_on_grid(number_of(value), factor, real->min, *real->step, kind.levels));
    } else {
      draft.exact[parameter.name] = times(*real, number_of(value), factor);
    }
  } else if (const auto* integer = std::get_if<Integer>(&parameter.domain)) {
    u = space_.level(column,
                     moved_on_grid(number_of(value), factor, static_cast<double>(integer->min),
                                   static_cast<double>(integer->step), kind.levels));
  } else if (kind.kind == Column::Kind::ordinal && kind.levels > 1) {
    const auto levels = static_cast<double>(kind.levels);
    const double at = std::floor(u * levels);
    const bool rises = at == 0 || (up && at < levels - 1);
    u = space_.level(column, static_cast<std::uint64_t>(rises ? at + 1 : at - 1));
  }
}

/// Values that did not change keep their bits, which a way through the unit cube would not. Nothing
/// if the configuration breaks a constraint.
std::optional<Configuration> Exploration::complete(const Draft& draft) const {
  Configuration partial;
  for (auto& [name, value] : space_.decode(draft.point)) {
    const Domain& domain = space_.find(name)->domain;
    // The space adds those itself, as they follow from the others.
    if (std::holds_alternative<Constant>(domain) || std::holds_alternative<Derived>(domain)) {
      continue;
    }
    const auto exact = draft.exact.find(name);
    const auto before = draft.parent.find(name);
    const bool keeps = before != draft.parent.end() && !draft.changed.contains(name);
    partial[name] = exact != draft.exact.end() ? exact->second : keeps ? before->second : value;
  }
  auto completed = space_.complete(partial);
  if (!completed) return std::nullopt;
  return std::move(completed).value();
}

/// Which parameters exist may depend on the exact values, too.
void Exploration::place_exact(Draft& draft) const {
  Configuration moved = draft.parent;
  for (const auto& [name, value] : draft.exact) moved[name] = value;
  const auto encoded = space_.try_encode(moved);
  BETATUNE_ASSERT(encoded.has_value());
  for (const std::size_t j : columns_) {
    const auto at = static_cast<Eigen::Index>(j);
    if (draft.exact.contains(name_of(j))) draft.point[at] = (*encoded)[at];
  }
}

Configuration Exploration::explore(const Configuration& parent, Key key) const {
  const auto known = space_.try_encode(parent);
  if (!known) return parent;
  for (std::uint64_t attempt = 0; attempt < kTries; ++attempt) {
    Stream stream(fold_in(key, attempt));
    Draft draft{parent, fill_inactive(space_, *known, stream)};
    for (const std::size_t j : columns_) {
      // Drawn whether they are needed or not: what follows in the stream stays the same.
      const bool anew = stream.uniform() < resample_;
      const double u = stream.uniform();
      const bool up = stream.below(2) == 1;
      if (is_inactive((*known)[static_cast<Eigen::Index>(j)])) continue;
      draft.changed.insert(name_of(j));
      if (anew) {
        draft.point[static_cast<Eigen::Index>(j)] = space_.snap(j, u);
      } else {
        move(j, up, draft);
      }
    }
    place_exact(draft);
    if (auto made = complete(draft)) return *std::move(made);
  }
  return parent;
}

bool Exploration::may_become(const Configuration& parent, const Configuration& other) const {
  const auto fixed = [this](const Configuration& all) {
    Configuration rest = all;
    for (const std::size_t j : columns_) rest.erase(name_of(j));
    // Those follow from the others: what may not change among them follows from what is the same.
    std::erase_if(rest, [this](const auto& each) {
      const Parameter* parameter = space_.find(each.first);
      return parameter != nullptr && std::holds_alternative<Derived>(parameter->domain);
    });
    return rest;
  };
  return fixed(parent) == fixed(other);
}

std::optional<Configuration> Exploration::at(const Configuration& parent,
                                             const Eigen::VectorXd& point) const {
  Draft draft{parent, point};
  for (const std::size_t j : columns_) draft.changed.insert(name_of(j));
  return complete(draft);
}

}  // namespace betatune
