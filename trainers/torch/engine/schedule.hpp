#pragma once
/// Learning rate and momentum over a training. Functions of the progress through the *whole*
/// training, never of how far one call trains, so that pausing and resuming changes nothing.

#include "trainers/torch/engine/recipe.hpp"

namespace betatune::engine {

/// lr the peak rate; progress in [0, 1): optimizer steps done / steps of the whole training.
/// Warm-up grows linearly from 0 to lr; the schedule covers what is left:
/// constant, cosine and linear (to 0), step (lr * gamma from 1/2 on, lr * gamma^2 from 3/4 on),
/// exponential (lr * decay^progress).
double learning_rate(const ScheduleSettings& schedule, double lr, double progress);

/// The momentum of sgd: grows linearly from `momentum` to `momentum_final` while progress is below
/// `momentum_ramp`, and stays (Baldi et al. 2014, arXiv:1402.4735, who ramp from 0.9 to 0.99).
double momentum(const OptimizerSettings& optimizer, double progress);

}  // namespace betatune::engine
