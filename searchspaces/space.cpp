#include "searchspaces/space.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "searchspaces/space_data.hpp"

namespace betatune {

namespace {

constexpr std::uint64_t kMostTries = 1'000'000;

}  // namespace

SearchSpace::SearchSpace() {
  static const auto empty = std::make_shared<const SpaceData>();
  data_ = empty;
}

std::span<const Parameter> SearchSpace::parameters() const {
  return data_->parameters;
}
std::span<const Expression> SearchSpace::constraints() const {
  return data_->constraints;
}
std::span<const Column> SearchSpace::columns() const {
  return data_->columns;
}

const Parameter* SearchSpace::find(std::string_view name) const {
  const auto index = data_->index_of(name);
  return index ? &data_->parameters[*index] : nullptr;
}

std::optional<double> SearchSpace::size() const {
  double product = 1;
  for (const Column& column : data_->columns) {
    if (column.kind == Column::Kind::continuous) return std::nullopt;
    product *= static_cast<double>(column.levels);
    if (product >= 0x1p53) return std::nullopt;
  }
  return product;
}

bool SearchSpace::satisfies_constraints(const Configuration& configuration) const {
  const Scalars values = data_->read(configuration);
  return data_->computes(values) && data_->feasible(values);
}

Eigen::VectorXd SearchSpace::sample_point(Key key) const {
  Scalars values;
  for (std::uint64_t attempt = 0; attempt < kMostTries; ++attempt) {
    const Eigen::VectorXd point = data_->draw(key, attempt);
    const bool computed = data_->resolve(point, values).message.empty();
    if (computed && data_->feasible(values)) return data_->canonical(point, values);
  }
  return data_->witness;
}

Configuration SearchSpace::sample(Key key) const {
  return decode(sample_point(key));
}

Eigen::VectorXd SearchSpace::encode(const Configuration& configuration) const {
  std::optional<Eigen::VectorXd> point = try_encode(configuration);
  BETATUNE_ASSERT(point.has_value());
  return *std::move(point);
}

std::optional<Eigen::VectorXd> SearchSpace::try_encode(const Configuration& configuration) const {
  Eigen::VectorXd point =
      Eigen::VectorXd::Constant(dims(), std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = 0; i < data_->columns.size(); ++i) {
    const std::size_t index = data_->columns[i].parameter;
    const auto found = configuration.find(data_->parameters[index].name);
    if (found == configuration.end()) continue;
    const auto position = data_->plans[index].axis->position(found->second);
    if (!position) return std::nullopt;
    point[static_cast<Eigen::Index>(i)] = *position;
  }
  return point;
}

Configuration SearchSpace::decode(const Eigen::Ref<const Eigen::VectorXd>& point) const {
  Scalars values;
  static_cast<void>(data_->resolve(point, values));
  return data_->configuration(values);
}

bool SearchSpace::feasible(const Eigen::Ref<const Eigen::VectorXd>& point) const {
  Scalars values;
  return data_->resolve(point, values).message.empty() && data_->feasible(values);
}

Eigen::VectorXd SearchSpace::canonical(const Eigen::Ref<const Eigen::VectorXd>& point) const {
  Scalars values;
  static_cast<void>(data_->resolve(point, values));
  return data_->canonical(point, values);
}

double SearchSpace::level(std::size_t column, std::uint64_t k) const {
  BETATUNE_ASSERT(column < data_->columns.size());
  return data_->plans[data_->columns[column].parameter].axis->level(k);
}

double SearchSpace::snap(std::size_t column, double u) const {
  BETATUNE_ASSERT(column < data_->columns.size());
  if (is_inactive(u)) return u;
  return data_->plans[data_->columns[column].parameter].axis->snap(u);
}

}  // namespace betatune
