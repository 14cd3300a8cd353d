#pragma once
/// How points of the unit cube enter the kernel: as features whose weighted squared distances add
/// up.
///
/// | column                  | features            | squared distance | | numeric, always active  |
/// x                   | (x - y)^2                                        | | numeric, conditional
/// | cos x, sin x or 0,0 | 2 - 2 cos(x - y); 1 if one is inactive, 0 if both | | categorical |
/// number of the choice | 1 if they differ; 1/2 if one is inactive        |
///
/// Every row is the distance of an embedding in a Euclidean space, so the kernel is positive
/// definite for mixed and conditional spaces. Where a parameter is inactive its value has no
/// influence at all, and configurations of different activity are apart (the arc kernel of Swersky
/// et al. 2013, with an arc of one radian, on which 2 - 2 cos(x - y) is nearly (x - y)^2).
/// Numbers may be warped first.

#include <Eigen/Core>
#include <span>
#include <vector>

#include "optimizer/gp/input_warp.hpp"
#include "optimizer/numerics/factor.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

struct Feature {
  enum class Kind { line, cosine, sine, choice };
  Kind kind = Kind::line;
  Eigen::Index column = 0;
};

class FeatureMap {
 public:
  explicit FeatureMap(std::span<const Column> columns);
  /// The same columns; one warp each, plain for those that are no numbers.
  FeatureMap warped(std::vector<InputWarp> warps) const;
  const std::vector<InputWarp>& warps() const { return warps_; }

  Eigen::Index columns() const { return columns_; }
  const std::vector<Feature>& features() const { return features_; }
  Eigen::Index size() const { return static_cast<Eigen::Index>(features_.size()); }

  /// points: m x columns(), NaN where inactive; returns size() x m.
  RowMatrix map(const RowMatrix& points) const;
  /// The chain rule: d/d features (size() x m) to d/d points (m x columns()). Zero for categorical
  /// and inactive columns.
  RowMatrix pull_back(const RowMatrix& points, const RowMatrix& slopes) const;
  /// d/d features (size() x m) to d/d logarithms of the warps, 2 x columns(): a, b.
  RowMatrix pull_back_to_warps(const RowMatrix& points, const RowMatrix& slopes) const;

  /// out[i] += squared distance of column `column of feature f` between `point` (its features) and
  /// the m points whose features are given.
  void add_distances(const Eigen::VectorXd& weights, const Eigen::Ref<const Eigen::VectorXd>& point,
                     const RowMatrix& features, Eigen::Index count, double* out) const;
  /// The kernel matrix and its slope by squared distance: rows 0..a.cols()-1 of `a` against columns
  /// of `b`; entries right of the diagonal are left alone if `lower`. slope may be null.
  void kernel(const Eigen::VectorXd& lengthscales, const RowMatrix& a, const RowMatrix& b,
              bool lower, RowMatrix& value, RowMatrix* slope) const;

 private:
  /// The slopes by a feature (one per point) as those by its column's warped numbers; 0 where it is
  /// inactive.
  Eigen::VectorXd slopes_by_warped(const Feature& feature, const Eigen::VectorXd& numbers,
                                   const double* by_feature) const;

  Eigen::Index columns_;
  std::vector<Feature> features_;
  std::vector<InputWarp> warps_;
};

/// Squared distance of two choices by number, -1 for inactive.
inline double choice_distance(double a, double b) {
  if (a == b) return 0;
  return a < 0 || b < 0 ? 0.5 : 1;
}

}  // namespace betatune
