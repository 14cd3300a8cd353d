#include "optimizer/gp/feature_map.hpp"

#include <cmath>

#include "optimizer/numerics/dense.hpp"

namespace betatune {
namespace {

constexpr double kInactiveChoice = -1;

double feature_of(Feature::Kind kind, double x) {
  const bool inactive = is_inactive(x);
  switch (kind) {
    case Feature::Kind::line:
      return x;
    case Feature::Kind::cosine:
      return inactive ? 0 : std::cos(x);
    case Feature::Kind::sine:
      return inactive ? 0 : std::sin(x);
    case Feature::Kind::choice:
      return inactive ? kInactiveChoice : x;
  }
  return 0;
}

double feature_slope(Feature::Kind kind, double x) {
  switch (kind) {
    case Feature::Kind::line:
      return 1;
    case Feature::Kind::cosine:
      return -std::sin(x);
    case Feature::Kind::sine:
      return std::cos(x);
    case Feature::Kind::choice:
      return 0;
  }
  return 0;
}

}  // namespace

FeatureMap::FeatureMap(std::span<const Column> columns)
    : columns_(std::ssize(columns)), warps_(columns.size()) {
  for (Eigen::Index j = 0; j < columns_; ++j) {
    const Column& column = columns[static_cast<std::size_t>(j)];
    if (column.kind == Column::Kind::categorical) {
      features_.push_back({Feature::Kind::choice, j});
    } else if (column.conditional) {
      features_.push_back({Feature::Kind::cosine, j});
      features_.push_back({Feature::Kind::sine, j});
    } else {
      features_.push_back({Feature::Kind::line, j});
    }
  }
}

FeatureMap FeatureMap::warped(std::vector<InputWarp> warps) const {
  FeatureMap out = *this;
  out.warps_ = std::move(warps);
  return out;
}

RowMatrix FeatureMap::map(const RowMatrix& points) const {
  RowMatrix out(size(), points.rows());
  Eigen::VectorXd numbers, warped(points.rows());
  for (Eigen::Index f = 0; f < size(); ++f) {
    const Feature& feature = features_[static_cast<std::size_t>(f)];
    const InputWarp& warp = warps_[static_cast<std::size_t>(feature.column)];
    numbers = points.col(feature.column);
    warp.values(numbers.data(), static_cast<std::size_t>(numbers.size()), warped.data());
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      out(f, i) = feature_of(feature.kind, is_inactive(numbers[i]) ? numbers[i] : warped[i]);
    }
  }
  return out;
}

Eigen::VectorXd FeatureMap::slopes_by_warped(const Feature& feature, const Eigen::VectorXd& numbers,
                                             const double* by_feature) const {
  Eigen::VectorXd out(numbers.size());
  warps_[static_cast<std::size_t>(feature.column)].values(
      numbers.data(), static_cast<std::size_t>(numbers.size()), out.data());
  for (Eigen::Index i = 0; i < numbers.size(); ++i) {
    out[i] = is_inactive(numbers[i]) ? 0 : feature_slope(feature.kind, out[i]) * by_feature[i];
  }
  return out;
}

RowMatrix FeatureMap::pull_back(const RowMatrix& points, const RowMatrix& slopes) const {
  RowMatrix out = RowMatrix::Zero(points.rows(), columns_);
  Eigen::VectorXd numbers, own(points.rows());
  for (Eigen::Index f = 0; f < size(); ++f) {
    const Feature& feature = features_[static_cast<std::size_t>(f)];
    if (feature.kind == Feature::Kind::choice) continue;
    numbers = points.col(feature.column);
    warps_[static_cast<std::size_t>(feature.column)].slopes(
        numbers.data(), static_cast<std::size_t>(numbers.size()), own.data());
    const Eigen::VectorXd by_warped = slopes_by_warped(feature, numbers, &slopes(f, 0));
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      if (by_warped[i] != 0) out(i, feature.column) += by_warped[i] * own[i];
    }
  }
  return out;
}

RowMatrix FeatureMap::pull_back_to_warps(const RowMatrix& points, const RowMatrix& slopes) const {
  RowMatrix out = RowMatrix::Zero(2, columns_);
  Eigen::VectorXd numbers, by_a(points.rows()), by_b(points.rows());
  for (Eigen::Index f = 0; f < size(); ++f) {
    const Feature& feature = features_[static_cast<std::size_t>(f)];
    if (feature.kind == Feature::Kind::choice) continue;
    numbers = points.col(feature.column);
    warps_[static_cast<std::size_t>(feature.column)].slopes_by_logs(
        numbers.data(), static_cast<std::size_t>(numbers.size()), by_a.data(), by_b.data());
    const Eigen::VectorXd by_warped = slopes_by_warped(feature, numbers, &slopes(f, 0));
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      if (by_warped[i] == 0) continue;
      out(0, feature.column) += by_warped[i] * by_a[i];
      out(1, feature.column) += by_warped[i] * by_b[i];
    }
  }
  return out;
}

void FeatureMap::add_distances(const Eigen::VectorXd& weights,
                               const Eigen::Ref<const Eigen::VectorXd>& point,
                               const RowMatrix& features, Eigen::Index count, double* out) const {
  for (Eigen::Index f = 0; f < size(); ++f) {
    const Feature& feature = features_[static_cast<std::size_t>(f)];
    const double weight = weights[feature.column];
    const double* values = features.data() + f * features.cols();
    if (feature.kind != Feature::Kind::choice) {
      dense::add_squared_distance(point[f], weight, values, static_cast<std::size_t>(count), out);
      continue;
    }
    for (Eigen::Index i = 0; i < count; ++i)
      out[i] += weight * choice_distance(point[f], values[i]);
  }
}

void FeatureMap::kernel(const Eigen::VectorXd& lengthscales, const RowMatrix& a, const RowMatrix& b,
                        bool lower, RowMatrix& value, RowMatrix* slope) const {
  const Eigen::VectorXd weights = lengthscales.array().square().inverse();
  value.setZero(a.cols(), b.cols());
  if (slope != nullptr) slope->setZero(a.cols(), b.cols());
  for (Eigen::Index i = 0; i < a.cols(); ++i) {
    const Eigen::Index count = lower ? b.cols() - a.cols() + i + 1 : b.cols();
    double* row = value.data() + i * b.cols();
    add_distances(weights, a.col(i), b, count, row);
    dense::matern52(row, static_cast<std::size_t>(count), row,
                    slope == nullptr ? nullptr : slope->data() + i * b.cols());
  }
}

}  // namespace betatune
