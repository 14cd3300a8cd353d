#include "optimizer/searchers/result_rows.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {

Eigen::Index lowest_row(const Eigen::VectorXd& values, const std::vector<bool>& allowed) {
  Eigen::Index best = -1;
  for (Eigen::Index i = 0; i < values.size(); ++i) {
    if (!allowed[static_cast<std::size_t>(i)]) continue;
    if (best < 0 || values[i] < values[best]) best = i;
  }
  return best;
}

bool any_of(const std::vector<bool>& rows) {
  return std::ranges::find(rows, true) != rows.end();
}

std::vector<bool> rows_with_loss(const Observations& data) {
  std::vector<bool> out;
  for (const double loss : data.losses) out.push_back(!std::isnan(loss));
  return out;
}

std::vector<bool> feasible_rows(const Observations& data, const OutcomeFeasibility& limits) {
  std::vector<bool> out = rows_with_loss(data);
  if (data.slacks.cols() == 0) return out;
  std::vector<bool> observed = out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    observed[i] = out[i] && data.meets_limits(static_cast<Eigen::Index>(i));
  }
  if (!limits.noisy()) return observed;
  const std::vector<bool> by_mean = limits.met_by_mean(data.points);
  std::vector<bool> both = observed;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = out[i] && by_mean[i];
    both[i] = observed[i] && by_mean[i];
  }
  return any_of(both) ? both : out;
}

Eigen::VectorXd means_at(const GaussianProcess& gp, const RowMatrix& points) {
  return gp.predict(gp.map().map(points), false).mean;
}

}  // namespace betatune
