#include "trainers/torch/distributed/asynchronous/sub_master.hpp"

#include <algorithm>

#include "trainers/torch/distributed/asynchronous/reduce.hpp"
#include "trainers/trainer.hpp"

namespace betatune::distributed::asynchronous {

SubMaster::SubMaster(const Configured& configured, const SubMasterSettings& settings,
                     const Sizes& sizes, std::unique_ptr<Channel> above)
    : settings_(settings), above_(std::move(above)), centre_(zeros(sizes)), sum_(zeros(sizes)) {
  if (!configured.strategy->additive()) {
    throw plugin::Failure(BETATUNE_ERROR, "strategy: " + configured.name +
                                              " cannot have sub-masters: its pushes cannot be "
                                              "summed; connect the workers to the server itself");
  }
  if (settings.gather < 1 || settings.gather > settings.workers) {
    throw plugin::Failure(BETATUNE_ERROR,
                          "distributed setting `gather` is " + std::to_string(settings.gather) +
                              "; it must be from 1 to " + std::to_string(settings.workers));
  }
  for (int worker = 0; worker < settings.workers; ++worker) active_.insert(worker);
  above_->pull(centre_, versions_);
}

std::uint64_t SubMaster::last_sequence(int worker) const {
  const auto found = sequences_.find(worker);
  return found == sequences_.end() ? 0 : found->second;
}

void SubMaster::check(const Push& push) const {
  check_shape(push, sizes(), settings_.workers, last_sequence(push.worker));
}

Answer SubMaster::answer_of(std::uint64_t sequence, bool accepted) const {
  Answer answer{sequence, accepted, versions_, {}};
  for (const auto& layer : centre_) answer.centre.emplace_back(layer);
  return answer;
}

void SubMaster::pull(const AnswerTo& answer) {
  above_->pull(centre_, versions_);
  answer(answer_of(0, true));
}

void SubMaster::push(const Push& push, AnswerTo answer) {
  active_.insert(push.worker);
  if (is_repeated(push)) {
    const auto held = held_.find(push.worker);
    if (held != held_.end()) {
      held->second.answer = std::move(answer);
    } else {
      answer(answer_of(push.sequence, true));
    }
    return;
  }
  sequences_[push.worker] = push.sequence;
  Held& held = held_[push.worker];
  held = {push.sequence, push.bases, {}, std::move(answer)};
  for (const auto& layer : push.values) held.values.emplace_back(layer.begin(), layer.end());
  push_up_if_complete();
}

void SubMaster::push_up_if_complete() {
  const auto wanted = std::min(static_cast<std::size_t>(settings_.gather), active_.size());
  if (held_.empty() || held_.size() < wanted) return;
  std::vector<std::uint64_t> bases = held_.begin()->second.bases;
  for (const auto& [worker, held] : held_) {
    for (std::size_t k = 0; k < bases.size(); ++k) bases[k] = std::min(bases[k], held.bases[k]);
  }
  const float scale = settings_.mean ? 1 / static_cast<float>(held_.size()) : 1.0f;
  for (std::size_t k = 0; k < sum_.size(); ++k) {
    std::vector<std::span<const float>> parts;
    for (const auto& [worker, held] : held_) parts.emplace_back(held.values[k]);
    reduce_in_order(parts, scale, sum_[k]);
  }
  const bool accepted = above_->push(sum_, bases, &centre_, versions_);
  if (!accepted) ++rejected_;
  const auto done = std::exchange(held_, {});
  for (const auto& [worker, held] : done) {
    if (held.answer) held.answer(answer_of(held.sequence, accepted));
  }
}

void SubMaster::leave(int worker) {
  active_.erase(worker);
  const auto held = held_.find(worker);
  if (held != held_.end()) held->second.answer = nullptr;  // it is pushed all the same
  push_up_if_complete();
  if (active_.empty()) above_->leave();
}

void SubMaster::forget_answer(int worker) {
  const auto held = held_.find(worker);
  if (held != held_.end()) held->second.answer = nullptr;
}

}  // namespace betatune::distributed::asynchronous
