#include "trainers/torch/distributed/asynchronous/worker.hpp"

namespace betatune::distributed::asynchronous {

Worker::Worker(const Strategy& strategy, std::unique_ptr<Channel> channel)
    : rule_(strategy.worker()), channel_(std::move(channel)) {}

void Worker::start(Layers& parameters) {
  channel_->pull(parameters, bases_);
  versions_ = bases_;
  if (rule_->passes_on()) return;
  centre_ = parameters;
  push_ = zeros(sizes_of(parameters));
  rule_->begin(parameters);
}

bool Worker::step(Layers& parameters, const Layers& gradient) {
  // The bases are all sent before the first new version comes.
  if (rule_->passes_on()) return channel_->push(gradient, bases_, &parameters, bases_);
  if (!rule_->accumulate(parameters, gradient)) return true;
  const bool pulls = rule_->pulls_first();
  if (pulls) channel_->pull(centre_, versions_);
  for (std::size_t k = 0; k < push_.size(); ++k) {
    rule_->contribution(k, parameters[k],
                        pulls ? std::span<const float>(centre_[k]) : std::span<const float>(),
                        push_[k]);
  }
  std::vector<std::uint64_t> after = versions_;
  const bool accepted = channel_->push(push_, bases_, pulls ? nullptr : &centre_, after);
  for (std::size_t k = 0; k < push_.size(); ++k) rule_->receive(k, parameters[k], centre_[k]);
  // What was pulled, and its own push on top of it; or what came back.
  for (std::size_t k = 0; k < after.size(); ++k) bases_[k] = pulls ? versions_[k] + 1 : after[k];
  return accepted;
}

void Worker::read(Layers& centre) {
  std::vector<std::uint64_t> versions;
  channel_->pull(centre, versions);
}

}  // namespace betatune::distributed::asynchronous
