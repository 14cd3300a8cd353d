#include "optimizer/gp/model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "optimizer/gp/hyperparameter_draw.hpp"
#include "optimizer/gp/output_transform.hpp"
#include "optimizer/numerics/rows.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kAlways = 50;       ///< refitted at every result up to here
constexpr Eigen::Index kLongest = 300;     ///< results between two fits, at most
constexpr Eigen::Index kFitRows = 250;     ///< rows that a fit looks at
constexpr Eigen::Index kModelRows = 1200;  ///< rows of the posterior at a fit
/// Of expected results, which change with every new one: nothing is kept from one call to the next.
constexpr Eigen::Index kDoubtfulFitRows = 100, kDoubtfulModelRows = 400;
/// Results from which to which hyper-parameters are drawn. Fewer say so little that a draw is
/// mostly the prior, which finds smooth valleys later; more leave little to choose from, and a draw
/// takes longer than a suggestion.
constexpr Eigen::Index kLeastForDraws = 25, kMostForDraws = 200;
constexpr Eigen::Index kLeastForBend = 8;
constexpr Eigen::Index kLeastForWarps = 12;
/// Nats per column by which warps must explain the results better, beside what their prior takes.
/// With 2 for all columns together they were taken on too little evidence in many dimensions.
constexpr double kWarpPrice = 1.5;
constexpr double kMostDoubt = 3;  ///< standard deviation of an output, which have variance 1
/// Nats per result by which a logarithm must explain the losses better than a power does. Smooth
/// functions look about one nat better in logarithms, and are found slower with them: their bottom
/// becomes a spike. Losses over many orders of magnitude differ by four and more.
constexpr double kLogPrice = 2;
/// That are compared; the first is the power.
constexpr std::array kShifts = {0.0, 1.0, 0.1, 0.01, 0.001};

/// Of outputs, as variances.
Eigen::VectorXd doubts_of(const Eigen::VectorXd& deviations, const Outputs& outputs) {
  return (deviations.cwiseProduct(outputs.slopes)).cwiseMin(kMostDoubt).cwiseAbs2();
}

}  // namespace

Eigen::Index refit_size(Eigen::Index n) {
  Eigen::Index size = std::min(n, kAlways);
  while (size >= kAlways) {
    const Eigen::Index next = size + std::clamp<Eigen::Index>(size / 20, 1, kLongest);
    if (next > n) break;
    size = next;
  }
  return size;
}

std::vector<Eigen::Index> choose_rows(const Eigen::VectorXd& losses, Eigen::Index count) {
  const Eigen::Index n = losses.size();
  std::vector<Eigen::Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  if (n <= count) return order;
  std::vector<bool> chosen(order.size(), false);
  for (Eigen::Index i = n - count / 3; i < n; ++i) chosen[static_cast<std::size_t>(i)] = true;
  std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) {
    return losses[a] < losses[b] || (!std::isnan(losses[a]) && std::isnan(losses[b]));
  });
  Eigen::Index taken = count / 3;
  for (Eigen::Index i = 0; i < n && taken < 2 * (count / 3); ++i) {
    const auto row = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
    if (!chosen[row]) ++taken;
    chosen[row] = true;
  }
  std::vector<Eigen::Index> others, out;
  for (Eigen::Index i = 0; i < n; ++i) {
    if (!chosen[static_cast<std::size_t>(i)]) others.push_back(i);
  }
  const auto wanted = static_cast<std::size_t>(count - taken);
  for (std::size_t i = 0; i < wanted; ++i) {
    chosen[static_cast<std::size_t>(others[i * others.size() / wanted])] = true;
  }
  for (Eigen::Index i = 0; i < n; ++i) {
    if (chosen[static_cast<std::size_t>(i)]) out.push_back(i);
  }
  return out;
}

void GpModel::learn_from(std::shared_ptr<const EarlierModels> earlier) {
  if (earlier == earlier_) return;
  earlier_ = std::move(earlier);
  probable_.gp.reset();
}

void GpModel::fit(const Samples& data, Eigen::Index size) {
  const auto ids = std::span(data.trials).first(static_cast<std::size_t>(size));
  if (probable_.gp != nullptr && std::ranges::equal(ids, fitted_trials_) &&
      fitted_values_ == data.values.head(size) &&
      (data.doubts.size() == 0 || fitted_doubts_ == data.doubts.head(size))) {
    return;
  }
  fitted_trials_.assign(ids.begin(), ids.end());
  fitted_values_ = data.values.head(size);
  fitted_doubts_ = data.doubts.head(std::min(size, data.doubts.size()));
  Hyperparameters found = Hyperparameters::prior_mode(map_.columns());
  bend_ = {};
  map_ = map_.warped(std::vector<InputWarp>(static_cast<std::size_t>(map_.columns())));
  trend_ = nullptr;
  output_scale_ = 1;
  drawn_.clear();
  if (size > 0) found = fit_with_bend(data.points.topRows(size));
  probable_ = make_posterior(std::move(found));
}

GpModel::Posterior GpModel::make_posterior(Hyperparameters at) const {
  Posterior out{std::make_unique<GaussianProcess>(map_, std::move(at)), {}};
  out.gp->set_mean(trend_);
  return out;
}

Hyperparameters GpModel::fit_with_bend(const RowMatrix& points) {
  const std::vector<Eigen::Index> rows = choose_rows(
      ranks_of(fitted_values_), fitted_doubts_.size() > 0 ? kDoubtfulFitRows : kFitRows);
  const Eigen::Index size = fitted_values_.size();
  const auto n = static_cast<double>(size);
  const bool one_bend = of_ != ModelOf::losses || size < kLeastForBend;
  const std::size_t bends = one_bend ? 1 : kShifts.size();
  RowMatrix outputs(std::ssize(rows), static_cast<Eigen::Index>(bends));
  std::vector<double> log_slopes;
  for (std::size_t k = 0; k < bends; ++k) {
    const Outputs each = outputs_of(fitted_values_, {kShifts[k]});
    outputs.col(static_cast<Eigen::Index>(k)) = pick_values(each.y, rows);
    log_slopes.push_back(each.log_slope - (k > 0 ? kLogPrice * n : 0));
  }
  const RowMatrix features = map_.map(pick_rows(points, rows));
  Training training{map_, features};
  // One for all bends: that of the first, which is the one that is mostly chosen.
  if (fitted_doubts_.size() > 0) {
    training.doubts =
        pick_values(doubts_of(fitted_doubts_, outputs_of(fitted_values_, {kShifts[0]})), rows);
  }
  const std::vector<Fit> starts = most_probable_starts(training, outputs);
  std::size_t best = 0;
  for (std::size_t k = 1; k < bends; ++k) {
    // Densities of the losses themselves: those of the outputs, times the slopes.
    const auto evidence = [&](std::size_t i) { return starts[i].log_posterior + log_slopes[i]; };
    if (evidence(k) > evidence(best)) best = k;
  }
  bend_ = {kShifts[best]};
  const Eigen::VectorXd chosen = outputs.col(static_cast<Eigen::Index>(best));
  const Fit plain = fit_hyperparameters(training, chosen, starts[best].at);
  const bool may_warp = may_warp_ && of_ == ModelOf::losses && earlier_ == nullptr;
  if (may_warp && size >= kLeastForWarps) {
    const RowMatrix picked = pick_rows(points, rows);
    const double price = kWarpPrice * static_cast<double>(map_.columns());
    const WarpedFit warped = fit_with_warps(training, picked, chosen, plain, price);
    if (warped.fit.log_posterior > plain.log_posterior + price) {
      map_ = map_.warped(warped.warps);
      draw_near(warped.fit.at, {map_, map_.map(picked), training.doubts}, chosen);
      return warped.fit.at;
    }
  }
  std::optional<TrendFit> other;
  if (earlier_ != nullptr) other = fit_trend(map_, features, chosen, earlier_);
  if (!other || other->evidence <= plain.log_posterior) {
    draw_near(plain.at, training, chosen);
    return plain.at;
  }
  trend_ = other->trend;
  output_scale_ = other->scale;
  return other->fit.at;
}

void GpModel::draw_near(const Hyperparameters& mode, const Training& training,
                        const Eigen::VectorXd& y) {
  const Eigen::Index size = fitted_values_.size();
  if (!draws_ || size < kLeastForDraws || size > kMostForDraws) return;
  Key key = fold_in(draws_->key, static_cast<std::uint64_t>(size));
  for (int i = 0; i < draws_->count; ++i) {
    if (i > 0) key = fold_in(key, "next");
    drawn_.push_back(make_posterior(draw_hyperparameters(training, y, mode, key)));
  }
}

std::vector<GaussianProcess*> GpModel::drawn() {
  std::vector<GaussianProcess*> out;
  for (const Posterior& each : drawn_) out.push_back(each.gp.get());
  if (out.empty()) out.push_back(probable_.gp.get());
  return out;
}

std::vector<Eigen::Index> GpModel::rows_of(const Samples& data) const {
  std::vector<Eigen::Index> rows = choose_rows(
      ranks_of(fitted_values_), fitted_doubts_.size() > 0 ? kDoubtfulModelRows : kModelRows);
  for (Eigen::Index i = fitted_values_.size(); i < data.size(); ++i) rows.push_back(i);
  return rows;
}

GaussianProcess& GpModel::condition(const Samples& data, Eigen::Index pending) {
  // Trials that end late change the first results after they were fitted; those that may still do
  // so are left to the next fit.
  const Eigen::Index settled = std::max(std::min(data.size(), kAlways), data.size() - pending);
  fit(data, refit_size(settled));
  const Outputs outputs = outputs_of(data.values, bend_);
  slope_at_best_ = output_scale_ * outputs.slope_at_best;
  zero_ = outputs.zero;
  const std::vector<Eigen::Index> rows = rows_of(data);
  update(probable_, data, rows, outputs);
  for (Posterior& each : drawn_) update(each, data, rows, outputs);
  return *probable_.gp;
}

void GpModel::update(Posterior& posterior, const Samples& data,
                     const std::vector<Eigen::Index>& rows, const Outputs& outputs) const {
  std::vector<std::size_t> ids;
  for (const Eigen::Index row : rows) ids.push_back(data.trials[static_cast<std::size_t>(row)]);
  auto common =
      static_cast<std::size_t>(std::ranges::mismatch(ids, posterior.trials).in1 - ids.begin());
  Eigen::VectorXd doubts;
  if (data.doubts.size() > 0) {
    common = 0;  // they change with every result
    doubts = output_scale_ * output_scale_ * pick_values(doubts_of(data.doubts, outputs), rows);
  }
  posterior.gp->truncate(static_cast<Eigen::Index>(common));
  posterior.gp->append(map_.map(pick_rows(data.points, std::span(rows).subspan(common))), doubts);
  posterior.trials = std::move(ids);
  posterior.gp->set_outputs(output_scale_ * pick_values(outputs.y, rows));
}

Outputs GpModel::outputs_of(const Eigen::VectorXd& values, OutputBend bend) const {
  switch (of_) {
    case ModelOf::losses:
      return transform_outputs(values, bend);
    case ModelOf::objective:
      return transform_objective(values);
    case ModelOf::slacks:
      break;
  }
  return transform_slacks(values);
}

Eigen::VectorXd GpModel::ranks_of(const Eigen::VectorXd& values) const {
  return of_ == ModelOf::slacks ? Eigen::VectorXd(values.cwiseAbs()) : values;
}

double GpModel::noise_deviation() const {
  return std::sqrt(probable_.gp->hyperparameters().noise) / slope_at_best_;
}

}  // namespace betatune
