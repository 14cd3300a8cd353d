#pragma once
/// What a model learns from: the results of a history that compare with each other.

#include <Eigen/Core>
#include <memory>
#include <optional>
#include <vector>

#include "optimizer/curves/encoded_trials.hpp"
#include "optimizer/history.hpp"
#include "optimizer/numerics/factor.hpp"

namespace betatune {

/// Numbers at points, for a model.
struct Samples {
  std::vector<std::size_t> trials;  ///< ids of the rows, ascending
  RowMatrix points;
  Eigen::VectorXd values;       ///< finite
  Eigen::VectorXd doubts = {};  ///< standard deviations of the values; empty: they are known

  Eigen::Index size() const { return values.size(); }
};

struct Observations {
  Step step = 0;          ///< fidelity at which they were made, or are expected; 0 if there is none
  bool expected = false;  ///< losses are what the trials' curves are believed to end in
  std::vector<std::size_t> trials;  ///< ids of the rows, ascending
  RowMatrix points;                 ///< one row per trial, encoded
  Eigen::VectorXd losses;           ///< NaN: failed by its own fault (user, oom, timeout, diverged)
  Eigen::VectorXd doubts;           ///< standard deviations of expected losses; empty if none is
  /// One column per objective, to be minimised; the first is `losses`. NaN as there; a trial that
  /// lacks one objective has no loss either.
  RowMatrix objectives;
  RowMatrix slacks;  ///< one column per outcome constraint; NaN: not known
  /// For methods that compare results alone: lower is better. The losses themselves, unless limits
  /// are broken; NaN where the loss is.
  Eigen::VectorXd merits;
  RowMatrix pending;        ///< encoded; running, waiting or queued without a result yet
  Eigen::Index finite = 0;  ///< how many losses are

  Eigen::Index size() const { return losses.size(); }
  /// The rows that have a loss.
  Samples results() const;
  /// The rows that have this slack.
  Samples known_slacks(Eigen::Index constraint) const;
  /// The rows that have a loss, with the value of this objective.
  Samples results_of(Eigen::Index objective) const;
  /// Whether the row has a loss and meets every outcome constraint.
  bool meets_limits(Eigen::Index row) const;
};

/// Collects observations. Keeps encoded configurations, which never change, between calls.
///
/// With a fidelity, losses after different lengths of training do not compare. Every trial that has
/// reported one counts with what a CurveModel expects it to end in. With several objectives, or
/// where configurations are trained more than once, the model takes the losses at the highest step
/// that has at least dims + 2 of them, else at the step with most; trials that have no loss there
/// are left out. Trials that were lost to the infrastructure or cancelled say nothing and are left
/// out.
///
/// Trials that train one configuration again are one row, of the first of them: the means of their
/// results once all that the search asked for are over, pending until then.
class ObservationCollector {
 public:
  Observations collect(const History& history);

 private:
  EncodedTrials encoded_;
};

}  // namespace betatune
