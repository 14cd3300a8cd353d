#pragma once
/// Where trials meet the outcome constraints of a study, learned from the slacks of those that
/// ended: the probability that all are met multiplies what a point promises.

#include <vector>

#include "optimizer/gp/acquisition.hpp"

namespace betatune {

/// The model of one constraint's slack.
struct SlackModel {
  GaussianProcess* gp = nullptr;  ///< of transformed slacks
  double zero = 0;                ///< the output that a slack of 0 has
};

/// Sum of log Phi((zero - mean) / deviation) over independent constraints. Multiplied with expected
/// improvement below the best result that meets all constraints, it is the constrained expected
/// improvement of Gardner et al. 2014 (ICML, PMLR 32); alone, it is what Gelbart et al. 2014
/// (arXiv:1403.5607) maximise while no result meets them.
class OutcomeFeasibility : public Acquisition {
 public:
  /// The processes must outlive it.
  explicit OutcomeFeasibility(std::vector<SlackModel> models) : models_(std::move(models)) {}

  bool empty() const { return models_.empty(); }
  /// Points (encoded, one a row) that count from now on as answered by their means.
  void pend(const RowMatrix& points);
  /// Whether slacks are so noisy that what the models say of a result goes before what it showed.
  bool noisy() const;
  /// Whether each row's means meet all constraints.
  std::vector<bool> met_by_mean(const RowMatrix& points) const;

  Eigen::VectorXd value(const RowMatrix& points, RowMatrix* gradient) const override;
  Eigen::VectorXd bound(const RowMatrix& points) const override;

 private:
  std::vector<SlackModel> models_;
};

}  // namespace betatune
