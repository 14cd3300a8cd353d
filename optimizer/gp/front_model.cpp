#include "optimizer/gp/front_model.hpp"

#include "optimizer/numerics/rows.hpp"

namespace betatune {

void FrontModel::add(const RowMatrix& points, const std::vector<bool>& allowed) {
  std::vector<Eigen::Index> rows;
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    if (allowed[i]) rows.push_back(static_cast<Eigen::Index>(i));
  }
  if (rows.empty()) return;
  const RowMatrix chosen = pick_rows(points, rows);
  RowMatrix all(front_.rows() + chosen.rows(), front_.cols());
  all.topRows(front_.rows()) = front_;
  Eigen::VectorXd mean, variance;
  for (std::size_t j = 0; j < gps_.size(); ++j) {
    gps_[j]->screen(gps_[j]->map().map(chosen), mean, variance);
    all.col(static_cast<Eigen::Index>(j)).tail(chosen.rows()) = mean;
  }
  front_ = pick_rows(all, non_dominated(all));
}

void FrontModel::pend(const RowMatrix& points) {
  for (GaussianProcess* gp : gps_) gp->append_pending(gp->map().map(points));
}

HypervolumeImprovement FrontModel::improvement() const {
  return {std::vector<const GaussianProcess*>(gps_.begin(), gps_.end()),
          open_boxes(front_, reference_)};
}

}  // namespace betatune
