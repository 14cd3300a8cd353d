#pragma once
/// The front of a study with several objectives: the trials that a person chooses among.

#include <vector>

#include "configs/study_spec.hpp"
#include "optimizer/pareto/front.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {

/// Where hypervolumes are measured from, to be minimised in every objective: the threshold where
/// the study gives one, else infer_reference() of `losses` (at least one row).
Eigen::VectorXd reference_of(const std::vector<ObjectiveSpec>& objectives, const RowMatrix& losses);

struct StudyFront {
  std::vector<std::size_t> members;  ///< rows of the losses
  Eigen::VectorXd reference;         ///< none if there are no rows
  double hypervolume = 0;
};

/// losses: one row per trial that counts, all objectives to be minimised.
StudyFront front_of(const std::vector<ObjectiveSpec>& objectives,
                    const std::vector<std::vector<double>>& losses);

/// The trials that no other one beats in everything, of those that are completed and meet all
/// outcome constraints; ascending.
std::vector<TrialId> front_trials(const StudyState& state);
/// The same with the hypervolume; members are the trials' ids.
StudyFront front_of(const std::vector<ObjectiveSpec>& objectives, const StudyState& state);

}  // namespace betatune
