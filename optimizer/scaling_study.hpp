#pragma once
/// The study that trains one configuration with one number of ranks: what `betatune scaling`
/// measures is an ordinary study, with its log, failures and retries.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "configs/study_spec.hpp"

namespace betatune {

struct ScalingPlan {
  Configuration configuration;  ///< complete
  int ranks = 1;
  Step steps = 1;   ///< of each training; not used without a fidelity
  int repeats = 1;  ///< trainings
  std::filesystem::path folder;
};

/// CPU threads and GPUs of one rank, as the study shares them out.
int cpus_per_rank(const StudySpec& spec);
int gpus_per_rank(const StudySpec& spec);

/// The document to be read by read_study. Search, budgets, limits on outcomes and a second
/// objective are left out, and so is `elastic`, which would change the number of ranks.
Json scaling_document(const StudySpec& spec, const ScalingPlan& plan);

/// The same without derived parameters, which follow from the others.
Configuration without_derived(const SearchSpace& space, Configuration configuration);

/// The configuration that is trained: `given` over the defaults, or over the middle of its range
/// for a parameter that has none. errors invalid_argument: unknown, inactive or out-of-domain
/// values, broken constraints
Result<Configuration> completed(const SearchSpace& space, const Configuration& given);

/// 1, 2, 4 ... up to `most`.
std::vector<int> doubling_widths(int most);

}  // namespace betatune
