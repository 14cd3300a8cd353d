#include "optimizer/curves/curve_model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "optimizer/gp/hyperparameter_draw.hpp"
#include "optimizer/gp/model.hpp"
#include "optimizer/numerics/rows.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kFitRows = 64;     ///< that hyper-parameters are fitted to
constexpr Eigen::Index kModelRows = 128;  ///< of a posterior
constexpr int kFitEvaluations = 25;
constexpr Eigen::Index kLeastForGp = 4;
constexpr double kSlopeDeviation = 0.25;    ///< of the slope's prior, round 1
constexpr double kMomentumDeviation = 0.3;  ///< of the momentum's prior, round 0
constexpr double kSpreadShare = 0.3;  ///< of a level's spread that a change is believed to have
constexpr double kSpreadTrials = 2;   ///< weight of that belief
constexpr double kLargest = 1e300;

struct Moments {
  double mean = 0, deviation = 0;
};

Moments moments_of(const Eigen::VectorXd& values) {
  if (values.size() == 0) return {};
  const double mean = values.mean();
  return {mean, std::sqrt((values.array() - mean).square().mean())};
}

/// `order`: of which the lowest matter most. `draw`: as of CurveModel.
GaussianProcess fit_gp(const FeatureMap& map, const RowMatrix& points, const Eigen::VectorXd& y,
                       const Eigen::VectorXd& order, std::optional<Key> draw = {}) {
  const auto few = choose_rows(order, kFitRows);
  const RowMatrix features = map.map(pick_rows(points, few));
  const Training training{map, features};
  const Eigen::VectorXd chosen = pick_values(y, few);
  const Hyperparameters start = most_probable_starts(training, chosen)[0].at;
  Hyperparameters found = fit_hyperparameters(training, chosen, start, kFitEvaluations).at;
  if (draw) found = draw_hyperparameters(training, chosen, found, *draw);
  const auto rows = choose_rows(order, kModelRows);
  GaussianProcess gp(map, found);
  gp.append(map.map(pick_rows(points, rows)));
  gp.set_outputs(pick_values(y, rows));
  return gp;
}

double quantile(std::vector<double>& values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

double CurveScale::output_of(double loss) const {
  return std::log1p(std::min(loss / width - lowest / width, kLargest));
}

double CurveScale::loss_of(double output) const {
  return lowest + width * std::expm1(output);
}

double CurveScale::slope_at(double output) const {
  return width * std::exp(output);
}

CurveScale CurveScale::of(const CurveTable& table) {
  std::vector<double> latest;
  double lowest = std::numeric_limits<double>::infinity();
  for (Eigen::Index i = 0; i < table.rows(); ++i) {
    latest.push_back(table.losses(i, table.top_of(i)));
    for (const double each : table.losses.row(i)) lowest = each < lowest ? each : lowest;
  }
  CurveScale out{lowest, 0};
  // Of differences near the lowest; ties there must not make it nothing.
  for (const double share : {0.25, 0.5, 1.0}) {
    if (out.width <= 0) out.width = quantile(latest, share) - lowest;
  }
  if (!(out.width > 0) || !std::isfinite(out.width)) out.width = out.width > 0 ? kLargest : 1;
  return out;
}

/// Trials on their way through the links.
struct CurveModel::Walk {
  Eigen::VectorXd mean, variance, own, change;
  RowMatrix revealed;  ///< of the variance, by each level
};

CurveModel::CurveModel(FeatureMap map, const CurveTable& table, std::optional<Key> draw)
    : map_(std::move(map)), table_(table), draw_(draw), scale_(CurveScale::of(table)) {
  outputs_ = table.losses.unaryExpr([this](double loss) { return scale_.output_of(loss); });
  for (Eigen::Index level = 0; level + 1 < outputs_.cols(); ++level) links_.push_back(learn(level));
}

CurveModel::Link CurveModel::learn(Eigen::Index level) const {
  std::vector<Eigen::Index> rows;
  std::vector<double> at_level;
  for (Eigen::Index i = 0; i < outputs_.rows(); ++i) {
    if (std::isnan(outputs_(i, level))) continue;
    at_level.push_back(outputs_(i, level));
    if (!std::isnan(outputs_(i, level + 1))) rows.push_back(i);
  }
  const Moments spread =
      moments_of(Eigen::Map<const Eigen::VectorXd>(at_level.data(), std::ssize(at_level)));
  const double believed = kSpreadShare * std::max(spread.deviation, 1e-6);
  Link link;
  const Eigen::Index n = std::ssize(rows);
  if (n == 0) {
    link.deviation = believed;
    return link;
  }
  Eigen::VectorXd from(n), to(n), change = Eigen::VectorXd::Zero(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const Eigen::Index row = rows[static_cast<std::size_t>(i)];
    from[i] = outputs_(row, level);
    to[i] = outputs_(row, level + 1);
    const double before = level > 0 ? outputs_(row, level - 1) : from[i];
    if (!std::isnan(before)) change[i] = from[i] - before;
  }
  // Ridge regression of the step on the output and on the step before it, the weights of the priors
  // from what is left.
  const Eigen::VectorXd step = to - from;
  link.offset = step.mean();
  link.centre = from.mean();
  link.centre_change = change.mean();
  const Eigen::VectorXd x = from.array() - link.centre, v = change.array() - link.centre_change;
  Eigen::VectorXd left = step.array() - link.offset;
  for (int round = 0; round < 3; ++round) {
    const double variance = (left.squaredNorm() + kSpreadTrials * believed * believed) /
                            (static_cast<double>(n) + kSpreadTrials);
    link.deviation = std::sqrt(variance);
    Eigen::Matrix2d a;
    a << x.squaredNorm() + variance / (kSlopeDeviation * kSlopeDeviation), x.dot(v), x.dot(v),
        v.squaredNorm() + variance / (kMomentumDeviation * kMomentumDeviation);
    const Eigen::VectorXd y = step.array() - link.offset;
    const Eigen::Vector2d b(x.dot(y), v.dot(y));
    const double determinant = a(0, 0) * a(1, 1) - a(0, 1) * a(1, 0);
    link.slope = 1 + std::clamp((b[0] * a(1, 1) - b[1] * a(0, 1)) / determinant, -1.0, 1.0);
    link.momentum = std::clamp((b[1] * a(0, 0) - b[0] * a(1, 0)) / determinant, -1.0, 2.0);
    left = y - (link.slope - 1) * x - link.momentum * v;
  }
  if (n >= kLeastForGp) {
    std::optional<Key> draw;
    if (draw_) draw = fold_in(*draw_, static_cast<std::uint64_t>(level));
    link.gp = fit_gp(map_, pick_rows(table_.points, rows), left / link.deviation, to, draw);
  }
  return link;
}

void CurveModel::advance(Eigen::Index to, const RowMatrix& features, Walk& walk) const {
  const Link& link = links_[static_cast<std::size_t>(to - 1)];
  Eigen::VectorXd step = (link.offset + (link.slope - 1) * (walk.mean.array() - link.centre) +
                          link.momentum * (walk.change.array() - link.centre_change))
                             .matrix();
  Eigen::VectorXd unknown = Eigen::VectorXd::Constant(step.size(), 1);
  double noise = 1;
  if (link.gp) {
    const Prediction left = link.gp->predict(features, false);
    step += link.deviation * left.mean;
    noise = link.gp->hyperparameters().noise;
    unknown = left.variance.array() + noise;
  }
  walk.revealed *= link.slope * link.slope;
  walk.revealed.col(to) = link.deviation * link.deviation * unknown;
  walk.variance =
      link.slope * link.slope * walk.variance + link.deviation * link.deviation * unknown;
  walk.own = (link.slope * link.slope * walk.own.array() + link.deviation * link.deviation * noise)
                 .matrix();
  walk.mean += step;
  walk.change = step;
}

CurveBeliefs CurveModel::at_the_end(const RowMatrix& features, Walk walk) const {
  for (Eigen::Index level = 1; level < outputs_.cols(); ++level) advance(level, features, walk);
  return {std::move(walk.mean), std::move(walk.variance), std::move(walk.own),
          std::move(walk.revealed)};
}

/// At the highest level at which each has a loss.
CurveModel::Walk CurveModel::begin(const std::vector<Eigen::Index>& rows) const {
  const Eigen::Index n = std::ssize(rows);
  Walk all{Eigen::VectorXd::Zero(n), Eigen::VectorXd::Zero(n), Eigen::VectorXd::Zero(n),
           Eigen::VectorXd::Zero(n), RowMatrix::Zero(n, outputs_.cols())};
  for (Eigen::Index i = 0; i < n; ++i) {
    const Eigen::Index row = rows[static_cast<std::size_t>(i)], top = table_.top_of(row);
    all.mean[i] = outputs_(row, top);
    const double before = top > 0 ? outputs_(row, top - 1) : all.mean[i];
    if (!std::isnan(before)) all.change[i] = all.mean[i] - before;
  }
  return all;
}

CurveBeliefs CurveModel::of_rows() const {
  const Eigen::Index n = outputs_.rows();
  std::vector<Eigen::Index> every(static_cast<std::size_t>(n)), tops;
  std::iota(every.begin(), every.end(), Eigen::Index{0});
  for (const Eigen::Index row : every) tops.push_back(table_.top_of(row));
  Walk all = begin(every);
  for (Eigen::Index level = 0; level < std::ssize(links_); ++level) {
    std::vector<Eigen::Index> rows;
    for (Eigen::Index i = 0; i < n; ++i) {
      if (tops[static_cast<std::size_t>(i)] <= level) rows.push_back(i);
    }
    if (rows.empty()) continue;
    Walk some{pick_values(all.mean, rows), pick_values(all.variance, rows),
              pick_values(all.own, rows), pick_values(all.change, rows),
              pick_rows(all.revealed, rows)};
    advance(level + 1, map_.map(pick_rows(table_.points, rows)), some);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto k = static_cast<Eigen::Index>(i);
      all.mean[rows[i]] = some.mean[k];
      all.variance[rows[i]] = some.variance[k];
      all.own[rows[i]] = some.own[k];
      all.change[rows[i]] = some.change[k];
      all.revealed.row(rows[i]) = some.revealed.row(k);
    }
  }
  return {std::move(all.mean), std::move(all.variance), std::move(all.own),
          std::move(all.revealed)};
}

CurveBeliefs CurveModel::from_first(const std::vector<Eigen::Index>& rows) const {
  const Eigen::Index n = std::ssize(rows);
  const RowMatrix features = map_.map(pick_rows(table_.points, rows));
  Walk walk{pick_values(outputs_.col(0), rows), Eigen::VectorXd::Zero(n), Eigen::VectorXd::Zero(n),
            Eigen::VectorXd::Zero(n), RowMatrix::Zero(n, outputs_.cols())};
  return at_the_end(features, std::move(walk));
}

CurveBeliefs CurveModel::beyond(Eigen::Index row) const {
  const Eigen::Index top = table_.top_of(row), levels = std::ssize(links_) - top;
  const std::vector<Eigen::Index> one = {row};
  const RowMatrix features = map_.map(pick_rows(table_.points, one));
  Walk walk = begin(one);
  CurveBeliefs out{Eigen::VectorXd(levels), Eigen::VectorXd(levels), Eigen::VectorXd(levels), {}};
  for (Eigen::Index i = 0; i < levels; ++i) {
    advance(top + i + 1, features, walk);
    out.mean[i] = walk.mean[0];
    out.variance[i] = walk.variance[0];
    out.own_variance[i] = walk.own[0];
  }
  return out;
}

CurveBeliefs CurveModel::of_new(const RowMatrix& points) const {
  std::vector<Eigen::Index> rows;
  for (Eigen::Index i = 0; i < outputs_.rows(); ++i) {
    if (!std::isnan(outputs_(i, 0))) rows.push_back(i);
  }
  const Eigen::VectorXd first = pick_values(outputs_.col(0), rows);
  const Moments spread = moments_of(first);
  const double scale = std::max(spread.deviation, 1e-9);
  const Eigen::VectorXd y = (first.array() - spread.mean) / scale;
  const GaussianProcess gp = fit_gp(map_, pick_rows(table_.points, rows), y, first);
  const RowMatrix features = map_.map(points);
  const Prediction at = gp.predict(features, false);
  Walk walk{(spread.mean + scale * at.mean.array()).matrix(), scale * scale * at.variance,
            Eigen::VectorXd::Zero(points.rows()), Eigen::VectorXd::Zero(points.rows()),
            RowMatrix::Zero(points.rows(), outputs_.cols())};
  walk.revealed.col(0) = walk.variance;
  return at_the_end(features, std::move(walk));
}

}  // namespace betatune
