#include "optimizer/local/local_step.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "optimizer/local/taylor_model.hpp"
#include "optimizer/numerics/box_lbfgs.hpp"
#include "optimizer/numerics/normal.hpp"

namespace betatune {
namespace {

constexpr std::size_t kFineGrid = 16;  ///< levels above which a grid counts as continuous
constexpr std::size_t kLeastRows = 30, kMostRows = 120;
constexpr double kNear = 1.5;   ///< radii within which values say what size they have
constexpr double kWorst = 100;  ///< values above it are cut
constexpr int kStarts = 10;

std::size_t index(Eigen::Index i) {
  return static_cast<std::size_t>(i);
}

/// The part of the space in which the centre can move, and its coordinates in units of the radius.
class Neighbourhood {
 public:
  Neighbourhood(const SearchSpace& space, Eigen::RowVectorXd centre, const LocalProblem& problem)
      : centre_(std::move(centre)) {
    for (std::size_t j = 0; j < space.columns().size(); ++j) {
      const Column& it = space.columns()[j];
      const bool smooth = it.kind == Column::Kind::continuous ||
                          (it.kind == Column::Kind::grid && it.levels > kFineGrid);
      const auto column = static_cast<Eigen::Index>(j);
      (smooth && !is_inactive(centre_[column]) ? moving_ : fixed_).push_back(column);
    }
    widths_ = Eigen::VectorXd::Constant(dims(), problem.radius);
    for (Eigen::Index k = 0; k < dims() && problem.stretch.size() > 0; ++k) {
      widths_[k] *= problem.stretch[moving_[index(k)]];
    }
  }

  Eigen::Index dims() const { return std::ssize(moving_); }

  /// Whether a point shares everything with the centre but what moves.
  bool holds(const Eigen::Ref<const Eigen::RowVectorXd>& point) const {
    return std::ranges::all_of(fixed_, [&](Eigen::Index j) {
      return point[j] == centre_[j] || (is_inactive(point[j]) && is_inactive(centre_[j]));
    });
  }
  Eigen::RowVectorXd inside(const Eigen::Ref<const Eigen::RowVectorXd>& point) const {
    Eigen::RowVectorXd z(dims());
    for (Eigen::Index k = 0; k < dims(); ++k) {
      const Eigen::Index j = moving_[index(k)];
      z[k] = (point[j] - centre_[j]) / widths_[k];
    }
    return z;
  }
  Eigen::VectorXd outside(const Eigen::VectorXd& z) const {
    Eigen::VectorXd point = centre_.transpose();
    for (Eigen::Index k = 0; k < dims(); ++k) {
      const Eigen::Index j = moving_[index(k)];
      point[j] = std::clamp(centre_[j] + widths_[k] * z[k], 0.0, 1.0);
    }
    return point;
  }
  /// The region, cut at the borders of the space.
  std::pair<Eigen::VectorXd, Eigen::VectorXd> bounds() const {
    Eigen::VectorXd low(dims()), high(dims());
    for (Eigen::Index k = 0; k < dims(); ++k) {
      const double at = centre_[moving_[index(k)]];
      low[k] = std::max(-1.0, -at / widths_[k]);
      high[k] = std::min(1.0, (1 - at) / widths_[k]);
    }
    return {low, high};
  }

 private:
  Eigen::RowVectorXd centre_;
  std::vector<Eigen::Index> moving_, fixed_;
  Eigen::VectorXd widths_;
};

struct Values {
  RowMatrix z;
  Eigen::VectorXd y;
  Eigen::VectorXd doubts;  ///< variances; empty: none
  double scale = 1;        ///< of the losses: what y = 1 means
};

/// The results nearest to the centre, as the model takes them: 0 at the centre, about 1 in the
/// region.
Values nearest(const Neighbourhood& around, const Observations& data, double best) {
  std::vector<std::pair<double, Eigen::Index>> order;
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    if (!std::isfinite(data.losses[i]) || !around.holds(data.points.row(i))) continue;
    order.emplace_back(around.inside(data.points.row(i)).squaredNorm(), i);
  }
  std::sort(order.begin(), order.end());
  const auto d = index(around.dims());
  const std::size_t most = std::clamp((d + 1) * (d + 2), kLeastRows, kMostRows);
  order.resize(std::min(order.size(), most));

  Values out{
      RowMatrix(std::ssize(order), around.dims()), Eigen::VectorXd(std::ssize(order)), {}, 0};
  for (Eigen::Index i = 0; i < out.y.size(); ++i) {
    const auto [square, row] = order[index(i)];
    out.z.row(i) = around.inside(data.points.row(row));
    out.y[i] = data.losses[row] - best;
    const bool near = i <= around.dims() || out.z.row(i).cwiseAbs().maxCoeff() <= kNear;
    // A quadratic grows with the square of the distance: what is far says so much less.
    if (near) out.scale = std::max(out.scale, std::abs(out.y[i]) / std::max(1.0, square));
  }
  if (!(out.scale > 0)) out.scale = 1;
  for (double& each : out.y) each = std::min(each / out.scale, kWorst);
  if (data.doubts.size() == 0) return out;
  out.doubts.resize(out.y.size());
  for (Eigen::Index i = 0; i < out.y.size(); ++i) {
    out.doubts[i] = std::pow(std::min(data.doubts[order[index(i)].second] / out.scale, kWorst), 2);
  }
  return out;
}

/// Where the expected improvement below `best` is highest within the bounds.
Eigen::VectorXd most_promising(const TaylorModel& model, double best,
                               const std::pair<Eigen::VectorXd, Eigen::VectorXd>& bounds, Key key) {
  BoxLbfgsOptions options;
  options.iterations_max = 40;
  options.evaluations_max = 60;
  options.gradient_tolerance = 1e-5;
  options.value_tolerance = 1e-7;
  Stream stream(key);
  Eigen::VectorXd found;
  double lowest = std::numeric_limits<double>::infinity();
  for (int start = 0; start < kStarts; ++start) {
    Eigen::VectorXd at(bounds.first.size());
    const double spread = start % 2 == 0 ? 0.1 : 1.0;
    for (double& each : at) each = spread * (2 * stream.uniform() - 1);
    BoxLbfgs run(at, bounds.first, bounds.second, options);
    while (!run.done()) {
      const TaylorModel::Prediction here = model.predict(run.wanted(), true);
      const double sigma = std::sqrt(here.variance);
      const LogImprovement improvement = log_improvement((best - here.mean) / sigma);
      run.tell(-(improvement.log_h + std::log(sigma)),
               (improvement.cdf_over_h / sigma) * here.mean_slope -
                   (improvement.pdf_over_h / (2 * here.variance)) * here.variance_slope);
    }
    if (run.best_value() >= lowest) continue;
    lowest = run.best_value();
    found = run.best();
  }
  return found;
}

}  // namespace

std::optional<LocalStep> propose_local(const SearchSpace& space, const Observations& data,
                                       const LocalProblem& problem, const RowMatrix& pending,
                                       Key key) {
  const Neighbourhood around(space, data.points.row(problem.centre), problem);
  if (around.dims() == 0) return std::nullopt;
  const double loss = data.losses[problem.centre];
  Values values = nearest(around, data, loss);
  const double scale = values.scale;
  TaylorModel model(std::move(values.z), std::move(values.y), problem.noise / scale,
                    std::move(values.doubts));
  double best = model.predict(Eigen::VectorXd::Zero(around.dims()), false).mean;
  for (Eigen::Index i = 0; i < pending.rows(); ++i) {
    const Eigen::VectorXd z = around.inside(pending.row(i)).transpose();
    if (!around.holds(pending.row(i)) || z.cwiseAbs().maxCoeff() > kNear) continue;
    best = std::min(best, model.predict(z, false).mean);
    model.append_pending(z);
  }
  const Eigen::VectorXd z = most_promising(model, best, around.bounds(), key);
  if (z.size() == 0) return std::nullopt;
  const TaylorModel::Prediction at = model.predict(z, false);
  LocalStep out;
  out.point = space.canonical(around.outside(z));
  out.note = {problem.radius, (best - at.mean) * scale, std::sqrt(at.variance) * scale,
              z.cwiseAbs().maxCoeff(), loss};
  out.noise = std::sqrt(model.noise()) * scale;
  return out;
}

}  // namespace betatune
