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

}  // namespace betatune
