#include "trainers/torch/engine/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace betatune::engine {

double learning_rate(const ScheduleSettings& schedule, double lr, double progress) {
  if (progress < schedule.warmup) return lr * progress / schedule.warmup;
  const double rest = (progress - schedule.warmup) / (1 - schedule.warmup);
  switch (schedule.kind) {
    case ScheduleKind::constant:
      return lr;
    case ScheduleKind::cosine:
      return lr * 0.5 * (1 + std::cos(std::numbers::pi * rest));
    case ScheduleKind::linear:
      return lr * (1 - rest);
    case ScheduleKind::step:
      return lr * (rest < 0.5 ? 1 : rest < 0.75 ? schedule.gamma : schedule.gamma * schedule.gamma);
    case ScheduleKind::exponential:
      return lr * std::pow(schedule.decay, rest);
  }
  return lr;
}

double momentum(const OptimizerSettings& optimizer, double progress) {
  if (optimizer.momentum_ramp <= 0) return optimizer.momentum;
  const double done = std::min(progress / optimizer.momentum_ramp, 1.0);
  return optimizer.momentum + done * (optimizer.momentum_final - optimizer.momentum);
}

}  // namespace betatune::engine
