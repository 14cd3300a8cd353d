#pragma once
/// How much a point promises, in logarithms, so that what multiplies adds up: an improvement, times
/// the probability that the trial succeeds, times what the user believes.

#include <Eigen/Core>
#include <memory>
#include <vector>

#include "optimizer/gp/gaussian_process.hpp"

namespace betatune {

class Acquisition {
 public:
  virtual ~Acquisition() = default;

  /// points    m x columns, encoded, NaN where inactive
  /// gradient  null, or resized to m x columns and overwritten: by the numeric columns, 0 for the
  ///           rest and where inactive
  /// returns   m logarithms, finite
  virtual Eigen::VectorXd value(const RowMatrix& points, RowMatrix* gradient) const = 0;
  /// Never below value(), and cheaper where that can be had.
  virtual Eigen::VectorXd bound(const RowMatrix& points) const { return value(points, nullptr); }
};

/// The sum of several; each must outlive it.
class AcquisitionSum : public Acquisition {
 public:
  explicit AcquisitionSum(std::vector<const Acquisition*> parts) : parts_(std::move(parts)) {}
  Eigen::VectorXd value(const RowMatrix& points, RowMatrix* gradient) const override;
  Eigen::VectorXd bound(const RowMatrix& points) const override;

 private:
  std::vector<const Acquisition*> parts_;
};

/// The logarithm of the mean of several: of what they promise, not of its logarithms.
class AcquisitionMean : public Acquisition {
 public:
  /// Precondition: parts is not empty.
  explicit AcquisitionMean(std::vector<std::unique_ptr<const Acquisition>> parts)
      : parts_(std::move(parts)) {}
  Eigen::VectorXd value(const RowMatrix& points, RowMatrix* gradient) const override;
  Eigen::VectorXd bound(const RowMatrix& points) const override;

 private:
  std::vector<std::unique_ptr<const Acquisition>> parts_;
};

}  // namespace betatune
