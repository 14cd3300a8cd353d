#include "trainers/torch/schedule.hpp"

#include <cmath>
#include <numbers>

namespace betatune::classifier {

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
  }
  return lr;
}

}  // namespace betatune::classifier
