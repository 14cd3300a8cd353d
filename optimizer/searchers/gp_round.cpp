#include "optimizer/searchers/gp_round.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "optimizer/gp/improvement_over_draws.hpp"
#include "optimizer/gp/log_ei.hpp"
#include "optimizer/searchers/result_rows.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kIncumbents = 4;  ///< results whose neighbourhood is looked at
constexpr Eigen::Index kFailures = 100;  ///< the latest, which take away variance
/// Share of the outputs' variance above which a low loss may be luck.
constexpr double kNoisy = 1e-3;
constexpr Eigen::Index kLatent = 50;  ///< results that may be the lowest, at most

/// Rows of the best results, best first.
RowMatrix best_points(const Observations& data, Eigen::Index count) {
  std::vector<Eigen::Index> order;
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    if (!std::isnan(data.losses[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](Eigen::Index a, Eigen::Index b) { return data.merits[a] < data.merits[b]; });
  RowMatrix out(std::min<Eigen::Index>(count, std::ssize(order)), data.points.cols());
  for (Eigen::Index i = 0; i < out.rows(); ++i) {
    out.row(i) = data.points.row(order[static_cast<std::size_t>(i)]);
  }
  return out;
}

/// The latest rows that failed.
RowMatrix failed_points(const Observations& data, Eigen::Index most) {
  std::vector<Eigen::Index> rows;
  for (Eigen::Index i = data.size() - 1; i >= 0 && std::ssize(rows) < most; --i) {
    if (std::isnan(data.losses[i])) rows.push_back(i);
  }
  RowMatrix out(std::ssize(rows), data.points.cols());
  for (Eigen::Index i = 0; i < out.rows(); ++i) {
    out.row(i) = data.points.row(rows[static_cast<std::size_t>(i)]);
  }
  return out;
}

}  // namespace

GpRound::GpRound(const SearchSpace& space, Models models, const Observations& data,
                 GpOptions options)
    : space_(space),
      drawn_(std::move(models.drawn)),
      gp_(*drawn_[0]),
      options_(options),
      incumbents_(best_points(data, kIncumbents)),
      pending_(0, data.points.cols()),
      latent_(gp_.map().size(), 0),
      draws_(models.draws),
      noisy_(gp_.hyperparameters().noise > kNoisy),
      noise_deviation_(models.noise_deviation),
      output_slope_(models.output_slope),
      feasibility_(Feasibility::learn(gp_.map(), data)),
      // A front reaches where single objectives are best, often to the border.
      prior_(models.front ? SearchPrior::of(space) : SearchPrior::with_middle(space)),
      results_(data.size()),
      limits_(std::move(models.slacks)),
      front_(std::move(models.front)) {
  choose_best(data, models.noise_seen);
  // A loss that one trial did not have, its neighbours will hardly have: nothing is to be learned
  // there. Without this, a region that only fails would stay the least known of all.
  const RowMatrix failed = failed_points(data, kFailures);
  if (failed.rows() > 0) append_pending(failed);
  failed_ = failed.rows();
  pend(data.pending);
}

void GpRound::choose_best(const Observations& data, bool noise_seen) {
  const std::vector<bool> rows = feasible_rows(data, limits_);
  has_feasible_ = any_of(rows);
  if (front_) front_->add(data.points, rows);
  if (!has_feasible_) {
    best_row_ = lowest_row(data.merits, rows_with_loss(data));
    return;
  }
  // Means at all results take a third power of their number.
  const bool by_means = noisy_ || !limits_.empty();
  Prediction at{data.losses, {}, {}, {}};
  RowMatrix features;
  if (by_means) {
    features = gp_.map().map(data.points);
    at = gp_.predict(features, false);
  }
  best_row_ = lowest_row(noisy_ ? at.mean : data.losses, rows);
  const Eigen::Index lowest = lowest_row(at.mean, rows);
  for (const GaussianProcess* each : drawn_) {
    if (limits_.empty()) {
      best_.push_back(each->fitted().minCoeff());
    } else {
      best_.push_back(each == &gp_ ? at.mean[lowest] : means_at(*each, data.points.row(lowest))[0]);
    }
  }
  if (noise_seen && noisy_ && limits_.empty() && !front_) choose_latent(at, features, rows);
}

void GpRound::choose_latent(const Prediction& at, const RowMatrix& features,
                            const std::vector<bool>& with_loss) {
  const Eigen::VectorXd low = at.mean - 2 * at.variance.cwiseSqrt();
  std::vector<Eigen::Index> order;
  for (Eigen::Index i = 0; i < low.size(); ++i) {
    if (with_loss[static_cast<std::size_t>(i)]) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](Eigen::Index a, Eigen::Index b) { return low[a] < low[b]; });
  latent_.resize(features.rows(), std::min(kLatent, std::ssize(order)));
  for (Eigen::Index i = 0; i < latent_.cols(); ++i) {
    latent_.col(i) = features.col(order[static_cast<std::size_t>(i)]);
  }
}

std::unique_ptr<const Acquisition> GpRound::improvement() const {
  if (front_) return std::make_unique<HypervolumeImprovement>(front_->improvement());
  if (latent_.cols() > 0) {
    return std::make_unique<ImprovementOverDraws>(gp_, failed_, latent_, draws_);
  }
  std::vector<std::unique_ptr<const Acquisition>> each;
  for (std::size_t k = 0; k < drawn_.size(); ++k) {
    each.push_back(std::make_unique<LogExpectedImprovement>(*drawn_[k], best_[k]));
  }
  if (each.size() == 1) return std::move(each[0]);
  return std::make_unique<AcquisitionMean>(std::move(each));
}

std::optional<double> GpRound::log_feasible(const Eigen::VectorXd& point) const {
  if (limits_.empty()) return std::nullopt;
  return limits_.value(point.transpose(), nullptr)[0];
}

double GpRound::expected_gain(const Eigen::VectorXd& point) const {
  const double log_ei = improvement()->value(point.transpose(), nullptr)[0];
  return std::exp(log_ei + log_feasible(point).value_or(0)) / output_slope_;
}

std::optional<double> GpRound::log_prior(const Eigen::VectorXd& point) const {
  if (!prior_) return std::nullopt;
  return PriorWeight(*prior_, results_).value(point.transpose(), nullptr)[0];
}

void GpRound::pend(const RowMatrix& points) {
  if (points.rows() == 0) return;
  // Counted as observed at their mean: one that is believed to be the best makes it harder for its
  // neighbours to improve on it. Under noise improvement() draws them.
  const std::vector<bool> met = limits_.met_by_mean(points);
  for (std::size_t k = 0; k < best_.size() && any_of(met); ++k) {
    const Eigen::VectorXd means = means_at(*drawn_[k], points);
    best_[k] = std::min(best_[k], means[lowest_row(means, met)]);
  }
  if (front_) front_->add(points, met);
  append_pending(points);
  limits_.pend(points);
  pending_.conservativeResize(pending_.rows() + points.rows(), Eigen::NoChange);
  pending_.bottomRows(points.rows()) = points;
}

void GpRound::append_pending(const RowMatrix& points) {
  if (front_) return front_->pend(points);
  for (GaussianProcess* each : drawn_) each->append_pending(each->map().map(points));
}

std::optional<Proposer::Found> GpRound::propose(Key key, const FreshBatch& batch) const {
  ProposalOptions options;
  options.raw_points = options_.raw_points;
  options.starts = options_.starts;
  std::vector<const Acquisition*> parts;
  std::unique_ptr<const Acquisition> gain;
  if (has_feasible_) parts.push_back((gain = improvement()).get());
  if (!limits_.empty()) parts.push_back(&limits_);
  if (feasibility_ != nullptr) parts.push_back(feasibility_.get());
  std::optional<PriorWeight> belief;
  if (prior_) parts.push_back(&belief.emplace(*prior_, results_));
  const AcquisitionSum promise(std::move(parts));
  const Proposer proposer(space_, gp_, promise, incumbents_, options);
  return proposer.propose(key, [&](const auto& each) { return batch.is_fresh(each); });
}

std::optional<Suggestion> suggest_from_model(const GpRound& round, FreshBatch& batch, Key key) {
  std::optional<Suggestion> out;
  if (std::optional<Proposer::Found> found = round.propose(key, batch)) {
    Json note = Json::object();
    if (round.has_feasible()) note[round.has_front() ? "log_ehvi" : "log_ei"] = found->value;
    if (round.has_feasible() && !round.has_front())
      note["gain"] = round.expected_gain(found->point);
    if (const auto log_feasible = round.log_feasible(found->point)) {
      note["log_feasible"] = *log_feasible;
    }
    out = {std::move(found->configuration), "gp", std::move(note)};
  } else if (std::optional<Configuration> drawn = batch.draw(key)) {
    out = {std::move(*drawn), "random", nullptr};
  }
  if (out) batch.take(out->configuration);
  return out;
}

}  // namespace betatune
