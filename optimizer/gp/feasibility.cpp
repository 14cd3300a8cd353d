#include "optimizer/gp/feasibility.hpp"

#include <cmath>
#include <numbers>
#include <utility>

#include "optimizer/gp/model.hpp"
#include "optimizer/numerics/normal.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kMostRows = 200;
constexpr double kSoftness = 0.05;  ///< variance of the link
/// Of the mean, far from all results: Phi(0.6 / sqrt(0.05 + 1)) is about 0.7.
constexpr double kShift = 0.6;

}  // namespace

std::unique_ptr<Feasibility> Feasibility::learn(const FeatureMap& map, const Observations& data) {
  if (data.finite == 0 || data.finite == data.size()) return nullptr;
  const std::vector<Eigen::Index> rows = choose_rows(data.losses, kMostRows);
  RowMatrix points(std::ssize(rows), data.points.cols());
  Eigen::VectorXd labels(points.rows());
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    const Eigen::Index row = rows[static_cast<std::size_t>(i)];
    points.row(i) = data.points.row(row);
    labels[i] = (std::isnan(data.losses[row]) ? -1.0 : 1.0) - kShift;
  }
  const RowMatrix features = map.map(points);
  const Fit fit = fit_hyperparameters({map, features}, labels);
  GaussianProcess gp(map, fit.at);
  gp.append(features);
  gp.set_outputs(labels);
  return std::unique_ptr<Feasibility>(new Feasibility(std::move(gp)));
}

Eigen::VectorXd Feasibility::value(const RowMatrix& points, RowMatrix* gradient) const {
  const Prediction at = gp_.predict(gp_.map().map(points), gradient != nullptr);
  Eigen::VectorXd logs(points.rows());
  RowMatrix slopes(gp_.map().size(), gradient == nullptr ? 0 : points.rows());
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    const double spread = std::sqrt(kSoftness + at.variance[i]);
    const double z = (kShift + at.mean[i]) / spread;
    logs[i] = log_ndtr(z);
    if (gradient == nullptr) continue;
    // phi(z) / Phi(z), by its logarithm: both underflow far in the tail.
    const double ratio = std::exp(-0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi) - logs[i]);
    slopes.col(i) = ratio * (at.mean_slope.col(i) / spread -
                             (0.5 * z / (spread * spread)) * at.variance_slope.col(i));
  }
  if (gradient != nullptr) *gradient = gp_.map().pull_back(points, slopes);
  return logs;
}

}  // namespace betatune
