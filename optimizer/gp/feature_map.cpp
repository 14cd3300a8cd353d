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
  if (is_inactive(x)) return 0;
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
  for (Eigen::Index f = 0; f < size(); ++f) {
    const Feature& feature = features_[static_cast<std::size_t>(f)];
    const InputWarp& warp = warps_[static_cast<std::size_t>(feature.column)];
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      out(f, i) = feature_of(feature.kind, warp.value(points(i, feature.column)));
    }
  }
  return out;
}

RowMatrix FeatureMap::pull_back(const RowMatrix& points, const RowMatrix& slopes) const {
  RowMatrix out = RowMatrix::Zero(points.rows(), columns_);
  for (Eigen::Index f = 0; f < size(); ++f) {
    const Feature& feature = features_[static_cast<std::size_t>(f)];
    const InputWarp& warp = warps_[static_cast<std::size_t>(feature.column)];
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      const double x = points(i, feature.column);
      const double slope = feature_slope(feature.kind, warp.value(x));
      if (slope != 0) out(i, feature.column) += slope * warp.slope(x) * slopes(f, i);
    }
  }
  return out;
}

RowMatrix FeatureMap::pull_back_to_warps(const RowMatrix& points, const RowMatrix& slopes) const {
  RowMatrix out = RowMatrix::Zero(2, columns_);
  for (Eigen::Index f = 0; f < size(); ++f) {
    const Feature& feature = features_[static_cast<std::size_t>(f)];
    const InputWarp& warp = warps_[static_cast<std::size_t>(feature.column)];
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      const double x = points(i, feature.column);
      const double slope = feature_slope(feature.kind, warp.value(x));
      if (slope != 0) out.col(feature.column) += slope * slopes(f, i) * warp.slope_by_logs(x);
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
