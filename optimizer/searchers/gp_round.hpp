#pragma once
/// Suggestions from a Gaussian process, one after another.

#include <memory>
#include <optional>
#include <vector>

#include "optimizer/gp/feasibility.hpp"
#include "optimizer/gp/front_model.hpp"
#include "optimizer/gp/outcome_feasibility.hpp"
#include "optimizer/gp/proposal.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/searchers/gp_options.hpp"
#include "optimizer/searchers/search_prior.hpp"
#include "optimizer/searchers/seen.hpp"

namespace betatune {

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

/// The model's next suggestion, marked as taken; a random draw where it has none; nothing if the
/// space is exhausted. Its note has what it was chosen for: `log_ei`, the log expected
/// improvement times all probabilities (`log_ehvi` with several objectives, that of the
/// hypervolume), and `log_feasible`, that of meeting the outcome
/// constraints. While nothing meets them there is no improvement to expect, and the note has the
/// latter alone.
std::optional<Suggestion> suggest_from_model(const GpRound& round, FreshBatch& batch, Key key);

}  // namespace betatune
