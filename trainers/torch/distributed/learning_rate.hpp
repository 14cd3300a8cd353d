#pragma once
/// How the learning rate follows the batch: k ranks with a batch each make a batch k times as
/// large, and so fewer steps per epoch, which a larger rate has to make up for. No libtorch here.

#include <cstdint>
#include <string>

namespace betatune::distributed {

enum class RateScaling {
  none,    ///< the global batch is what was tuned; ranks only split it
  linear,  ///< k; Goyal et al. 2017, arXiv:1706.02677
  sqrt     ///< sqrt(k), which keeps the noise of a step; Krizhevsky 2014, arXiv:1404.5997
};

/// "none", "linear", "sqrt".
/// errors plugin::Failure that lists them
RateScaling rate_scaling_named(const std::string& name);

/// What the rate is multiplied by for a batch `ratio` times that for which it was chosen, ratio >
/// 0.
double rate_factor(RateScaling scaling, double ratio);

/// The factor at a step of the warm-up, which goes from 1 (the rate as chosen) to `factor` in equal
/// parts, and is there from step `warmup_steps` on.
///
/// step    optimizer steps done, from 0
double warm_factor(double factor, std::int64_t step, std::int64_t warmup_steps);

}  // namespace betatune::distributed
