#pragma once
/// Why a trial was chosen: the log is replayed up to what its searcher knew, and the model of that
/// moment is asked about the trial, about the places that it beat, and about what each parameter
/// did for it.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/gp/input_warp.hpp"
#include "optimizer/replay.hpp"

namespace betatune {

/// A number as the model has it (its transformed outputs), and the loss that it means.
struct Expectation {
  double mean = 0, deviation = 0;
  double loss = 0, loss_low = 0, loss_high = 0;  ///< at the mean, one deviation below and above
};

/// Another place that was looked at. It promised less, or was not among those that the search
/// improves and takes first.
struct Rival {
  Configuration configuration;
  double log_ei = 0;  ///< log of the acquisition function, as the searcher compares it
  Expectation expected;
};

/// What one searched parameter was to the model.
struct ParameterView {
  std::string name;
  std::optional<Value> value, incumbent;  ///< nothing where it is not active
  double lengthscale = 0;  ///< in the unit cube, near the trial: how far a change goes unnoticed
  InputWarp warp;          ///< of that cube
  /// What its move away from the incumbent's value did to mean and deviation; nothing if it did not
  /// move, or has no value to be set back to.
  std::optional<double> mean_change, deviation_change;
};

/// The model at the moment of the choice.
struct ModelView {
  std::int64_t results = 0, failures = 0, pending = 0;
  Expectation expected;  ///< of the trial, before it ran
  TrialId incumbent;     ///< the trial that the model believed best
  Expectation at_incumbent;
  /// Log expected improvement of the trial, in the model's units; 0 while no result met the outcome
  /// constraints, when there is none to improve on.
  double log_ei = 0;
  bool any_feasible = true;            ///< whether one did
  std::optional<double> log_feasible;  ///< log probability that the trial meets them, if any
  std::optional<double> log_success;   ///< log probability that it would not fail, if any had
  std::optional<double>
      log_prior;  ///< added to log_ei for beliefs: priors, and the middle of the space
  std::map<std::string, double> earlier;  ///< weights of earlier studies, if they are of use
  std::vector<Rival> rivals;  ///< best first; none if the choice was not the global model's
  std::vector<ParameterView> parameters;
  double noise = 0, amplitude = 0;  ///< variances
  std::string transform;            ///< of the losses, in words
};

struct Explanation {
  TrialCreated created;
  std::string searcher;         ///< of the study at that time
  Sequence seq = 0;             ///< the log up to here was known
  std::size_t trials = 0;       ///< that were known
  std::optional<TrialId> best;  ///< then, by its loss
  std::optional<double> best_loss;
  std::vector<TrialId> pending;    ///< trials that were waiting or running
  std::optional<double> loss;      ///< that came of it so far
  bool recorded = true;            ///< false: a plan, but of an older version's log
  std::optional<ModelView> model;  ///< if a model suggested it
  std::string outlook;  ///< what the scheduler had learned of where new trials should begin
};

/// Errors: invalid_argument if there is no such trial; the store's; corrupt.
Result<Explanation> explain(const StudyStore& store, TrialId trial,
                            const SpecOfDocument& spec_of = spec_of_document);

}  // namespace betatune
