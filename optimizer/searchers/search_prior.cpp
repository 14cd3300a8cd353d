#include "optimizer/searchers/search_prior.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "optimizer/numerics/normal_quantile.hpp"

namespace betatune {
namespace {

constexpr double kEven = 0.1;          ///< part of the density that no belief takes away
constexpr double kMiddleSpread = 0.3;  ///< of the belief in the middle
constexpr double kFull = 10;           ///< results up to which the density counts as it is

/// Of a number, as a part of its range.
double spread_of(Confidence confidence) {
  switch (confidence) {
    case Confidence::low:
      return 0.3;
    case Confidence::medium:
      return 0.15;
    case Confidence::high:
      return 0.05;
  }
  return 0.3;
}

/// How much more often the believed choice is drawn than each other one.
double weight_of(Confidence confidence) {
  switch (confidence) {
    case Confidence::low:
      return 2;
    case Confidence::medium:
      return 5;
    case Confidence::high:
      return 20;
  }
  return 2;
}

}  // namespace

SearchPrior::SearchPrior(std::vector<Belief> beliefs) : beliefs_(std::move(beliefs)) {
  for (Belief& each : beliefs_) {
    if (each.choices > 0) continue;
    const double mass = normal_mass(-each.center / each.spread, (1 - each.center) / each.spread);
    each.height = (1 - kEven) / (std::sqrt(2 * std::numbers::pi) * each.spread * mass);
  }
}

std::vector<SearchPrior::Belief> SearchPrior::beliefs_of(const SearchSpace& space) {
  std::vector<Belief> beliefs;
  for (std::size_t j = 0; j < space.columns().size(); ++j) {
    const Column& column = space.columns()[j];
    if (!column.prior) continue;
    Belief belief{static_cast<Eigen::Index>(j), column.prior->center,
                  spread_of(column.prior->confidence), 0, 0};
    if (column.kind == Column::Kind::categorical) {
      belief.choices = column.levels;
      belief.weight = weight_of(column.prior->confidence);
    }
    beliefs.push_back(belief);
  }
  return beliefs;
}

std::optional<SearchPrior> SearchPrior::of(const SearchSpace& space) {
  std::vector<Belief> beliefs = beliefs_of(space);
  if (beliefs.empty()) return std::nullopt;
  return SearchPrior(std::move(beliefs));
}

std::optional<SearchPrior> SearchPrior::with_middle(const SearchSpace& space) {
  std::vector<Belief> beliefs = beliefs_of(space);
  for (std::size_t j = 0; j < space.columns().size(); ++j) {
    const Column& column = space.columns()[j];
    if (column.prior || column.kind == Column::Kind::categorical) continue;
    beliefs.push_back({static_cast<Eigen::Index>(j), 0.5, kMiddleSpread, 0, 0});
  }
  if (beliefs.empty()) return std::nullopt;
  return SearchPrior(std::move(beliefs));
}

double SearchPrior::shape_number(const Belief& belief, double u) {
  const double low = normal_cdf(-belief.center / belief.spread);
  const double mass =
      normal_mass(-belief.center / belief.spread, (1 - belief.center) / belief.spread);
  const double z = normal_quantile(std::clamp(low + u * mass, 0.0, 1.0));
  return std::clamp(belief.center + belief.spread * z, 0.0, 1.0);
}

double SearchPrior::shape_choice(const Belief& belief, double u) {
  const auto n = static_cast<double>(belief.choices);
  const double share = belief.weight / (belief.weight + n - 1);
  if (u < share || belief.choices < 2) return belief.center;
  // The rest of [0,1] over the other choices, in their order.
  auto other = std::min(std::floor((u - share) / (1 - share) * (n - 1)), n - 2);
  if (other >= std::floor(belief.center * n)) other += 1;
  return (other + 0.5) / n;
}

Eigen::VectorXd SearchPrior::shape(Eigen::VectorXd point) const {
  for (const Belief& each : beliefs_) {
    double& u = point[each.column];
    if (is_inactive(u)) continue;
    u = each.choices > 0 ? shape_choice(each, u) : shape_number(each, u);
  }
  return point;
}

Eigen::VectorXd SearchPrior::center(Eigen::VectorXd point) const {
  for (const Belief& each : beliefs_) point[each.column] = each.center;
  return point;
}

double SearchPrior::density(const Belief& belief, double u, double* slope) {
  *slope = 0;
  if (belief.choices > 0) {
    const auto n = static_cast<double>(belief.choices);
    const bool believed = std::floor(u * n) == std::floor(belief.center * n);
    return kEven + (1 - kEven) * n * (believed ? belief.weight : 1) / (belief.weight + n - 1);
  }
  const double z = (u - belief.center) / belief.spread;
  const double bell = belief.height * std::exp(-0.5 * z * z);
  *slope = -bell * z / belief.spread;
  return kEven + bell;
}

double SearchPrior::log_density(const Eigen::Ref<const Eigen::RowVectorXd>& point,
                                Eigen::RowVectorXd* slope) const {
  if (slope != nullptr) slope->setZero(point.size());
  double sum = 0;
  for (const Belief& each : beliefs_) {
    if (is_inactive(point[each.column])) continue;
    double own = 0;
    const double density = SearchPrior::density(each, point[each.column], &own);
    sum += std::log(density);
    if (slope != nullptr) (*slope)[each.column] = own / density;
  }
  return sum;
}

PriorWeight::PriorWeight(const SearchPrior& prior, Eigen::Index results)
    : prior_(prior), power_(std::pow(kFull / std::max(static_cast<double>(results), kFull), 2)) {}

Eigen::VectorXd PriorWeight::value(const RowMatrix& points, RowMatrix* gradient) const {
  Eigen::VectorXd out(points.rows());
  if (gradient != nullptr) gradient->resize(points.rows(), points.cols());
  Eigen::RowVectorXd slope;
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    out[i] = power_ * prior_.log_density(points.row(i), gradient == nullptr ? nullptr : &slope);
    if (gradient != nullptr) gradient->row(i) = power_ * slope;
  }
  return out;
}

}  // namespace betatune
