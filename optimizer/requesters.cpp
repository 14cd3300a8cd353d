#include "optimizer/requesters.hpp"

#include <algorithm>

namespace betatune {

void Requesters::take(const Event& event) {
  if (const auto* started = std::get_if<OptimizerStarted>(&event.fact)) {
    runs_ = started->user;
  } else if (const auto* enqueued = std::get_if<ConfigurationEnqueued>(&event.fact)) {
    enqueued_.push_back(enqueued->user);
  } else if (const auto* created = std::get_if<TrialCreated>(&event.fact)) {
    // Configurations wait in a row (study_state.hpp).
    const bool waited = created->origin == kEnqueuedOrigin && !enqueued_.empty();
    const bool repeats = created->repeats && created->repeats->n < of_.size();
    of_.push_back(waited ? enqueued_.front() : repeats ? of_[created->repeats->n] : runs_);
    if (waited) enqueued_.pop_front();
  }
}

bool Requesters::any() const {
  return std::ranges::any_of(of_, [](const auto& each) { return each.has_value(); });
}

}  // namespace betatune
