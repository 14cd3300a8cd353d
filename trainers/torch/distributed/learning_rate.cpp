#include "trainers/torch/distributed/learning_rate.hpp"

#include <cmath>

#include "trainers/trainer.hpp"

namespace betatune::distributed {

RateScaling rate_scaling_named(const std::string& name) {
  if (name == "none") return RateScaling::none;
  if (name == "linear") return RateScaling::linear;
  if (name == "sqrt") return RateScaling::sqrt;
  throw plugin::Failure(BETATUNE_ERROR, "there is no scaling of the learning rate \"" + name +
                                            "\"; there are none, linear, sqrt");
}

double rate_factor(RateScaling scaling, double ratio) {
  switch (scaling) {
    case RateScaling::linear:
      return ratio;
    case RateScaling::sqrt:
      return std::sqrt(ratio);
    case RateScaling::none:
      break;
  }
  return 1;
}

double warm_factor(double factor, std::int64_t step, std::int64_t warmup_steps) {
  if (step >= warmup_steps) return factor;
  return 1 + (factor - 1) * static_cast<double>(step) / static_cast<double>(warmup_steps);
}

}  // namespace betatune::distributed
