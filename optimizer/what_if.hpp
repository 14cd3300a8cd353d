#pragma once
/// A recorded study under another scheduler and another number of workers, on a virtual clock: the
/// same configurations in the same order, with the learning curves and the times per step that they
/// had. Nothing is trained.
///
/// Honest limits: a model would have suggested other configurations after other results; and where
/// a trial is asked for steps beyond those that it was trained, it keeps its last loss
/// (WhatIf::beyond counts such trials). A study under `fifo` has every curve to its end.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/pareto/study_front.hpp"
#include "optimizer/scaling_fit.hpp"
#include "optimizer/scheduler.hpp"
#include "optimizer/store.hpp"

namespace betatune {

struct RecordedTrial {
  Configuration configuration;
  std::map<Step, double> losses;  ///< minimised
  /// The metrics, reported at each step, that outcome constraints and further objectives are of.
  std::map<Step, Metrics> outcomes;
  double seconds_per_step = 0;  ///< with RecordedStudy::ranks
  bool failed = false;          ///< for good, behind its last step
};

struct RecordedStudy {
  std::shared_ptr<const StudySpec> spec;  ///< of the recorded study file
  std::vector<RecordedTrial> trials;      ///< that were trained, or failed, in their order
  Eigen::VectorXd reference;              ///< of the recorded front; none without one
  int ranks = 1;                          ///< of its trials; the fewest, where they were chosen
};

/// Errors: the store's, corrupt; invalid_argument (no `fidelity`, or no trial was trained).
Result<RecordedStudy> read_recorded(const StudyStore& store, Sequence last);

struct WhatIf {
  double seconds = 0;       ///< until the last trial ended
  double busy_seconds = 0;  ///< of all workers; with gangs, of all slots
  Step steps = 0;
  std::optional<Standing> best;  ///< with one objective
  double best_seconds = 0;       ///< when it was found
  /// With several objectives: those that no other one beats in everything, and the hypervolume that
  /// they dominate below RecordedStudy::reference, if there is one.
  std::size_t front = 0;
  std::optional<double> hypervolume;
  int full = 0;    ///< trials that were trained to the end
  int beyond = 0;  ///< trials that were asked for more steps than are recorded
};

/// Gangs: an attempt of so many ranks takes so many workers, and is faster by the scaling that is
/// stated here. Nothing else is: starting an attempt takes no time.
struct WhatIfGangs {
  int ranks = 1;                     ///< of every attempt, where `widths` gives no choice
  std::optional<WidthsSpec> widths;  ///< chosen as a study does, from rates that follow `scaling`
  ScalingFit scaling = {};           ///< with x times one rank
};

/// `scheduler`: a name of the registry, with the recorded options if it is the study's own, else
/// with its defaults. Without `gangs` a trial takes one worker, as fast as it was. Precondition:
/// workers >= 1, and enough for the narrowest gang. Errors: invalid_argument, as the study file's.
Result<WhatIf> what_if(const RecordedStudy& study, const std::string& scheduler, int workers,
                       const std::optional<WhatIfGangs>& gangs = {});

}  // namespace betatune
