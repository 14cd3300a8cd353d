#pragma once
/// What `gp` and `auto` share: the design that comes first, the model of the results, and
/// suggestions from it one after another.

#include <functional>
#include <optional>
#include <vector>

#include "optimizer/gp/feasibility.hpp"
#include "optimizer/gp/front_model.hpp"
#include "optimizer/gp/model.hpp"
#include "optimizer/gp/outcome_feasibility.hpp"
#include "optimizer/gp/proposal.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/searchers/search_prior.hpp"
#include "optimizer/searchers/seen.hpp"
#include "optimizer/searchers/start_up.hpp"

namespace betatune {

struct GpOptions {
  int raw_points = 1024;
  int starts = 8;
  int effort = 1;
  static constexpr auto fields() {
    return std::tuple{
        defaulted(
            "raw_points", &GpOptions::raw_points,
            "Points at which the acquisition function is compared before the best are improved."),
        defaulted("starts", &GpOptions::starts,
                  "How many of them are improved along the gradient."),
        defaulted("effort", &GpOptions::effort,
                  "How much longer a suggestion may take: so many models are drawn, and what they "
                  "promise is averaged.")};
  }
  /// Reports what is out of range.
  bool check(const ConfigNode& node, Diagnostics& problems) const;
};

/// Suggestions of one call, from one state of the model. Each that is pended is part of it from
/// then on, as answered by its mean.
class GpRound {
 public:
  /// The models of a round, conditioned on its data; pending points are appended here.
  struct Models {
    std::vector<GaussianProcess*> drawn;  ///< of the losses; the first explains
    double noise_deviation = 0;
    double output_slope = 1;               ///< of the outputs by the loss, at the lowest one
    bool noise_seen = false;               ///< results in the same place differ
    Key draws = {};                        ///< of the losses at results, where noise was seen
    std::vector<SlackModel> slacks;        ///< of the outcome constraints that anything is known of
    std::optional<FrontModel> front = {};  ///< with several objectives, drawn[0] being of the first
  };
  /// All must outlive it.
  GpRound(const SearchSpace& space, Models models, const Observations& data, GpOptions options);

  /// points: encoded, one a row.
  void pend(const RowMatrix& points);
  std::optional<Proposer::Found> propose(Key key, const FreshBatch& batch) const;
  /// What a trial promises by the losses alone: log of the expected improvement of the outputs, or
  /// of the expected hypervolume. Only if has_feasible().
  std::unique_ptr<const Acquisition> improvement() const;
  /// The row of the data that is believed best: of those that meet the outcome constraints the
  /// lowest loss, or, where losses are noisy, the lowest mean. While none meets them, the one that
  /// breaks them least.
  Eigen::Index best_row() const { return best_row_; }
  /// The model of the losses, pending points and all.
  const GaussianProcess& gp() const { return gp_; }
  /// Whether there are several objectives: best() and noise are then of no use.
  bool has_front() const { return front_.has_value(); }
  /// Whether any row is believed to meet the outcome constraints.
  bool has_feasible() const { return has_feasible_; }
  /// Log of the probability that the outcome constraints are met at an encoded point; nothing if
  /// there are none.
  std::optional<double> log_feasible(const Eigen::VectorXd& point) const;
  /// By how much a trial at an encoded point is expected to lower the loss. Only if has_feasible(),
  /// and without a front.
  double expected_gain(const Eigen::VectorXd& point) const;
  /// What beliefs add to the log acquisition there; nothing if there are none.
  std::optional<double> log_prior(const Eigen::VectorXd& point) const;
  /// Whether losses are so noisy (or the function so rugged) that a low one may be luck.
  bool noisy() const { return noisy_; }
  /// Standard deviation of that noise, in units of the loss near the lowest.
  double noise_deviation() const { return noise_deviation_; }
  /// Everything pended, encoded.
  const RowMatrix& pending() const { return pending_; }

 private:
  void choose_best(const Observations& data, bool noise_seen);
  /// Looks for the results that may be the lowest under noise.
  void choose_latent(const Prediction& at, const RowMatrix& features,
                     const std::vector<bool>& with_loss);
  void append_pending(const RowMatrix& points);

  const SearchSpace& space_;
  std::vector<GaussianProcess*> drawn_;
  GaussianProcess& gp_;  ///< the first of them
  GpOptions options_;
  RowMatrix incumbents_, pending_;
  RowMatrix latent_;         ///< features of results that may be the lowest, where noise hides it
  Eigen::Index failed_ = 0;  ///< points that were appended as failed, before the pending ones
  Key draws_;
  bool noisy_;
  double noise_deviation_, output_slope_;
  std::unique_ptr<Feasibility> feasibility_;  ///< none while nothing has failed
  std::optional<SearchPrior> prior_;
  Eigen::Index results_;  ///< failures included
  OutcomeFeasibility limits_;
  std::optional<FrontModel> front_;
  bool has_feasible_ = true;
  Eigen::Index best_row_ = 0;
  /// What improvements are measured from, as an output of each of drawn_, where noise hides
  /// nothing.
  std::vector<double> best_;
};

/// The state between calls is a cache: it holds what a cold start would compute again.
class GpCore {
 public:
  GpCore(const StudySpec& spec, GpOptions options);

  /// Starts a call: what is known, and the batch that remembers what is new in it.
  Observations observe(const History& history);
  FreshBatch batch(const History& history) const { return FreshBatch(history, seen_); }
  /// Chooses the next suggestion, the `index`-th of its call; nothing if the space is exhausted.
  using Choose = std::function<std::optional<Suggestion>(const GpRound&, const Observations&,
                                                         FreshBatch&, std::size_t index)>;
  /// A whole call of a searcher: the design, then choices, each pended for the next.
  std::vector<Suggestion> suggest(const History& history, int count, Key key, const Choose& choose);
  /// Conditions the models. Precondition: data.finite > 0.
  GpRound begin(const History& history, const Observations& data);
  /// Of the losses, as begin() left it.
  const GpModel& model() const { return model_; }
  /// The observed configuration whose modelled mean is lowest, of those that meet the outcome
  /// constraints if any do.
  std::optional<Configuration> recommend(const History& history);

 private:
  /// The suggestions that belong to the design, of `count`. Fewer than `count` may follow from the
  /// model, unless the space is exhausted: then `exhausted` is set.
  std::vector<Suggestion> design(const History& history, const Observations& data,
                                 FreshBatch& batch, int count, Key key, bool& exhausted) const;
  std::vector<SlackModel> condition_slacks(const Observations& data);
  /// Nothing with one objective. Precondition: model_ has been conditioned.
  std::optional<FrontModel> condition_front(const History& history, const Observations& data,
                                            GaussianProcess& first);
  /// Takes up the models of the history's earlier studies.
  void learn_from(const History& history);

  GpOptions options_;
  StartUp start_up_;
  SeenTrials seen_;
  std::vector<std::shared_ptr<const EarlierStudyRead>> earlier_;  ///< that the model has taken up
  ObservationCollector collector_;
  GpModel model_;
  std::vector<GpModel> slack_models_;    ///< one per outcome constraint
  std::vector<GpModel> further_models_;  ///< of the objectives after the first
};

/// Models of the earlier studies that the study names; null if there are none.
std::shared_ptr<const EarlierModels> make_earlier_models(const History& history);

/// The model's next suggestion, marked as taken; a random draw where it has none; nothing if the
/// space is exhausted. Its note has what it was chosen for: `log_ei`, the log expected
/// improvement times all probabilities (`log_ehvi` with several objectives, that of the
/// hypervolume), and `log_feasible`, that of meeting the outcome
/// constraints. While nothing meets them there is no improvement to expect, and the note has the
/// latter alone.
std::optional<Suggestion> suggest_from_model(const GpRound& round, FreshBatch& batch, Key key);

}  // namespace betatune
