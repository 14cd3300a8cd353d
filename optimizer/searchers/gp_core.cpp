#include "optimizer/searchers/gp_core.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "optimizer/gp/improvement_over_draws.hpp"
#include "optimizer/gp/log_ei.hpp"
#include "optimizer/local/near_pairs.hpp"
#include "optimizer/numerics/rows.hpp"
#include "optimizer/pareto/study_front.hpp"
#include "optimizer/searchers/design.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kIncumbents = 4;  ///< results whose neighbourhood is looked at
constexpr Eigen::Index kFailures = 100;  ///< the latest, which take away variance
/// Share of the outputs' variance above which a low loss may be luck.
constexpr double kNoisy = 1e-3;
/// Noise between results in the same place, as a share of the model's, that is no ruggedness.
constexpr double kSeen = 0.3;
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

/// The lowest of `values` among the allowed rows; -1 if there are none.
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

/// Rows with a loss that meet the outcome constraints: as observed, and, where that is noisy, as
/// the models see them too (or as they alone see them, if no row meets both).
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

/// Of the results that meet all limits (of all of them while none does); thresholds of the study
/// go first.
Eigen::VectorXd study_reference(const StudySpec& spec, const Observations& data) {
  std::vector<Eigen::Index> rows, feasible;
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    if (!std::isnan(data.losses[i])) rows.push_back(i);
    if (data.meets_limits(i)) feasible.push_back(i);
  }
  return reference_of(spec.objectives,
                      pick_rows(data.objectives, feasible.empty() ? rows : feasible));
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

/// Of the losses, or of the first of several objectives.
GpModel make_model(const StudySpec& spec, int draws) {
  const std::span<const Column> columns = spec.space.columns();
  if (spec.objectives.size() > 1) return GpModel(columns, ModelOf::objective);
  return GpModel(columns, ModelOf::losses,
                 GpModel::Draws{fold_in(study_key(spec), "hyperparameters"), draws});
}

Eigen::VectorXd means_at(const GaussianProcess& gp, const RowMatrix& points) {
  return gp.predict(gp.map().map(points), false).mean;
}

/// Of training, that any result came from.
Step highest_level(const TrialTable& trials) {
  Step highest = 0;
  for (const Trial& each : trials) {
    if (each.standing) highest = std::max(highest, each.standing->level);
  }
  return highest;
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

GpCore::GpCore(const StudySpec& spec, GpOptions options)
    : options_(options),
      start_up_(spec, std::clamp<std::int64_t>(spec.space.dims() + 1, 5, 20)),
      model_(make_model(spec, options.effort)) {
  for (std::size_t k = 0; k < spec.outcome_constraints.size(); ++k) {
    slack_models_.emplace_back(spec.space.columns(), ModelOf::slacks);
  }
  for (std::size_t j = 1; j < spec.objectives.size(); ++j) {
    further_models_.emplace_back(spec.space.columns(), ModelOf::objective);
  }
}

Observations GpCore::observe(const History& history) {
  seen_.sync(history);
  return collector_.collect(history);
}

std::vector<Suggestion> GpCore::design(const History& history, const Observations& data,
                                       FreshBatch& batch, int count, Key key,
                                       bool& exhausted) const {
  // Failures count as results, or a space that mostly fails would never get a model.
  const bool informed =
      data.finite > 0 && data.size() >= std::min<std::int64_t>(2, start_up_.count());
  const int due = start_up_.due(history, informed, count);
  std::vector<Suggestion> out;
  if (due > 0) out = start_up_.suggest(history, seen_, batch, due, fold_in(key, "design"));
  exhausted = std::ssize(out) < due;
  return out;
}

std::vector<Suggestion> GpCore::suggest(const History& history, int count, Key key,
                                        const Choose& choose) {
  const SearchSpace& space = history.space();
  const Observations data = observe(history);
  FreshBatch fresh = batch(history);
  bool exhausted = false;
  std::vector<Suggestion> out = design(history, data, fresh, count, key, exhausted);
  if (exhausted || std::ssize(out) == count) return out;
  GpRound round = begin(history, data);
  for (const Suggestion& each : out) round.pend(space.encode(each.configuration).transpose());
  while (std::ssize(out) < count) {
    std::optional<Suggestion> next = choose(round, data, fresh, out.size());
    if (!next) break;
    round.pend(space.encode(next->configuration).transpose());
    out.push_back(*std::move(next));
  }
  return out;
}

std::shared_ptr<const EarlierModels> make_earlier_models(const History& history) {
  std::vector<std::shared_ptr<const EarlierStudyRead>> named;
  for (const ConfigNode& node : history.spec->algorithm.transfer.studies) {
    for (const auto& each : history.earlier) {
      if (each->study == node.text()) named.push_back(each);
    }
  }
  if (named.empty()) return nullptr;
  return std::make_shared<const EarlierModels>(history.space(), named);
}

void GpCore::learn_from(const History& history) {
  if (history.earlier == earlier_) return;
  earlier_ = history.earlier;
  model_.learn_from(make_earlier_models(history));
}

GpRound GpCore::begin(const History& history, const Observations& data) {
  learn_from(history);
  GaussianProcess& probable = model_.condition(data.results(), data.pending.rows());
  // Noise makes the search look at every choice again by itself, and wants the same model from one
  // suggestion to the next.
  const bool noise_seen = noise_of_near_pairs(data) > kSeen * model_.noise_deviation();
  std::vector<GaussianProcess*> drawn = model_.drawn();
  if (noise_seen) drawn = {&probable};
  GpRound::Models models{drawn,
                         model_.noise_deviation(),
                         model_.slope_at_best(),
                         noise_seen,
                         fold_in(study_key(*history.spec), "draws"),
                         condition_slacks(data),
                         condition_front(history, data, *drawn[0])};
  return GpRound(history.space(), std::move(models), data, options_);
}

std::optional<FrontModel> GpCore::condition_front(const History& history, const Observations& data,
                                                  GaussianProcess& first) {
  if (further_models_.empty()) return std::nullopt;
  std::vector<GaussianProcess*> gps = {&first};
  const Eigen::VectorXd wanted = study_reference(*history.spec, data);
  Eigen::VectorXd reference(wanted.size());
  reference[0] = model_.output_of(wanted[0]);
  for (std::size_t j = 0; j < further_models_.size(); ++j) {
    const auto objective = static_cast<Eigen::Index>(j) + 1;
    GpModel& model = further_models_[j];
    gps.push_back(&model.condition(data.results_of(objective), data.pending.rows()));
    reference[objective] = model.output_of(wanted[objective]);
  }
  return FrontModel(std::move(gps), std::move(reference));
}

std::vector<SlackModel> GpCore::condition_slacks(const Observations& data) {
  std::vector<SlackModel> out;
  for (std::size_t k = 0; k < slack_models_.size(); ++k) {
    const Samples known = data.known_slacks(static_cast<Eigen::Index>(k));
    if (known.size() == 0) continue;
    GaussianProcess& gp = slack_models_[k].condition(known, data.pending.rows());
    out.push_back({&gp, slack_models_[k].zero()});
  }
  return out;
}

/// Of the trials that were trained furthest: what the others are expected to come to, nobody has
/// seen.
std::optional<Configuration> GpCore::recommend(const History& history) {
  // With several objectives there is no single best one to be modelled.
  if (!further_models_.empty()) return std::nullopt;
  // What was trained again to know it needs no model.
  const auto is_confirmed = [](const Trial& each) {
    return each.standing && each.standing->confirmed;
  };
  if (std::ranges::any_of(history.trials, is_confirmed)) return std::nullopt;
  const Observations data = collector_.collect(history);
  if (data.finite < 2) return std::nullopt;
  learn_from(history);
  const GaussianProcess& gp = model_.condition(data.results(), data.pending.rows());
  std::vector<bool> rows = feasible_rows(data, OutcomeFeasibility(condition_slacks(data)));
  const Step highest = highest_level(history.trials);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& standing = history.trials[TrialId{data.trials[i]}].standing;
    rows[i] = rows[i] && standing && standing->level == highest;
  }
  if (!any_of(rows)) return std::nullopt;
  const Eigen::Index best = lowest_row(means_at(gp, data.points), rows);
  return *history.trials[TrialId{data.trials[static_cast<std::size_t>(best)]}].configuration;
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
