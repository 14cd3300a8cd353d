#pragma once
/// The learning rate over a training. A function of the progress through the *whole* training,
/// never of how far one call trains, so that pausing and resuming changes nothing.

#include "trainers/torch/settings.hpp"

namespace betatune::classifier {

/// lr the peak rate; progress in [0, 1): optimizer steps done / steps of the whole training.
/// Warm-up grows linearly from 0 to lr; the schedule covers what is left:
/// constant, cosine and linear (to 0), step (lr * gamma from 1/2 on, lr * gamma^2 from 3/4 on).
double learning_rate(const ScheduleSettings& schedule, double lr, double progress);

}  // namespace betatune::classifier
