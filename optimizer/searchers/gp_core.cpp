#include "optimizer/searchers/gp_core.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "optimizer/local/near_pairs.hpp"
#include "optimizer/numerics/rows.hpp"
#include "optimizer/pareto/study_front.hpp"
#include "optimizer/searchers/design.hpp"
#include "optimizer/searchers/result_rows.hpp"

namespace betatune {
namespace {

/// Noise between results in the same place, as a share of the model's, that is no ruggedness.
constexpr double kSeen = 0.3;

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

/// Of the losses, or of the first of several objectives.
GpModel make_model(const StudySpec& spec, int draws) {
  const std::span<const Column> columns = spec.space.columns();
  if (spec.objectives.size() > 1) return GpModel(columns, ModelOf::objective);
  return GpModel(columns, ModelOf::losses,
                 GpModel::Draws{fold_in(study_key(spec), "hyperparameters"), draws});
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

}  // namespace betatune
