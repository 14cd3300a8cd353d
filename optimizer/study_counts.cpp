/// What a study has had, counted.

#include "optimizer/study_state.hpp"

namespace betatune {

std::int64_t StudyState::closed_count() const {
  std::int64_t count = 0;
  for (const auto& [outcome, n] : closed) count += n;
  return count;
}

Usage StudyState::used_after(std::int64_t later_us) const {
  Usage usage = used;
  usage.trainer_us += later_us * static_cast<std::int64_t>(running.size());
  usage.gpu_us += later_us * running_gpus;
  return usage;
}

std::int64_t StudyState::failed_count() const {
  const auto found = closed.find(Outcome::failed);
  return found == closed.end() ? 0 : found->second;
}

}  // namespace betatune
