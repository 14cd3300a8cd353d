#include "optimizer/gp/loss_scale.hpp"

#include <algorithm>

namespace betatune {

LossScale::LossScale(const Eigen::VectorXd& losses, OutputBend bend) {
  const Outputs outputs = transform_outputs(losses, bend);
  slope_at_best_ = outputs.slope_at_best;
  for (Eigen::Index i = 0; i < losses.size(); ++i) pairs_.emplace_back(outputs.y[i], losses[i]);
  std::sort(pairs_.begin(), pairs_.end());
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end(), same), pairs_.end());
}

double LossScale::loss_at(double y) const {
  const auto [lowest, loss] = pairs_.front();
  if (pairs_.size() == 1) return loss;
  if (y <= lowest) return slope_at_best_ > 0 ? loss + (y - lowest) / slope_at_best_ : loss;
  auto above = std::upper_bound(pairs_.begin(), pairs_.end(), std::pair{y, loss},
                                [](const auto& a, const auto& b) { return a.first < b.first; });
  if (above == pairs_.end()) --above;
  const auto below = above - 1;
  const double share = (y - below->first) / (above->first - below->first);
  return below->second + share * (above->second - below->second);
}

}  // namespace betatune
