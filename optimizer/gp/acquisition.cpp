#include "optimizer/gp/acquisition.hpp"

namespace betatune {

Eigen::VectorXd AcquisitionSum::value(const RowMatrix& points, RowMatrix* gradient) const {
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(points.rows());
  RowMatrix slopes = RowMatrix::Zero(points.rows(), gradient == nullptr ? 0 : points.cols()), own;
  for (const Acquisition* each : parts_) {
    sum += each->value(points, gradient == nullptr ? nullptr : &own);
    if (gradient != nullptr) slopes += own;
  }
  if (gradient != nullptr) *gradient = std::move(slopes);
  return sum;
}

Eigen::VectorXd AcquisitionSum::bound(const RowMatrix& points) const {
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(points.rows());
  for (const Acquisition* each : parts_) sum += each->bound(points);
  return sum;
}

namespace {

/// Of m points (rows) by each part (columns): logarithms of the means, m; shares, m x parts: what a
/// part contributes to each mean.
Eigen::VectorXd log_means(const RowMatrix& logs, RowMatrix* shares) {
  const Eigen::VectorXd most = logs.rowwise().maxCoeff();
  const RowMatrix parts = (logs.colwise() - most).array().exp().matrix();
  const Eigen::VectorXd sums = parts.rowwise().sum();
  if (shares != nullptr) *shares = sums.cwiseInverse().asDiagonal() * parts;
  return most + (sums / static_cast<double>(logs.cols())).array().log().matrix();
}

}  // namespace

Eigen::VectorXd AcquisitionMean::value(const RowMatrix& points, RowMatrix* gradient) const {
  const Eigen::Index count = std::ssize(parts_);
  RowMatrix logs(points.rows(), count), shares;
  std::vector<RowMatrix> slopes(gradient == nullptr ? 0 : parts_.size());
  for (Eigen::Index k = 0; k < count; ++k) {
    const auto part = static_cast<std::size_t>(k);
    logs.col(k) = parts_[part]->value(points, gradient == nullptr ? nullptr : &slopes[part]);
  }
  Eigen::VectorXd out = log_means(logs, &shares);
  if (gradient == nullptr) return out;
  *gradient = RowMatrix::Zero(points.rows(), points.cols());
  for (Eigen::Index k = 0; k < count; ++k) {
    *gradient += shares.col(k).asDiagonal() * slopes[static_cast<std::size_t>(k)];
  }
  return out;
}

Eigen::VectorXd AcquisitionMean::bound(const RowMatrix& points) const {
  RowMatrix logs(points.rows(), std::ssize(parts_));
  for (std::size_t k = 0; k < parts_.size(); ++k) {
    logs.col(static_cast<Eigen::Index>(k)) = parts_[k]->bound(points);
  }
  return log_means(logs, nullptr);
}

}  // namespace betatune
