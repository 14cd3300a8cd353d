#include "trainers/torch/distributed/hybrid_groups.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <cstring>

namespace betatune::distributed {

using asynchronous::MeetingGuest;
using asynchronous::MeetingKeeper;

HybridGroups::HybridGroups(Communicator& gang, Options options)
    : gang_(gang),
      options_(std::move(options)),
      present_(static_cast<std::size_t>(options_.groups), true) {
  const Slice ranks = ranks_of(number());
  World mine = gang_.world();
  mine.rank = gang_.rank() - static_cast<int>(ranks.begin);
  mine.size = static_cast<int>(ranks.count());
  mine.rendezvous += ".group-" + std::to_string(number());
  mine.timeout = options_.patience;
  own_ = make_communicator(options_.backend, mine);
}

/// Ranks of a group are neighbours, as on a machine.
int HybridGroups::group_of(int rank) const {
  int group = 0;
  while (rank >= ranks_of(group).end) ++group;
  return group;
}

void HybridGroups::open(std::function<std::uint64_t(int group)> signs) {
  meeting_.reset();
  keeper_ = nullptr;
  std::vector<int> groups;
  for (int rank = 0; rank < gang_.size(); ++rank) groups.push_back(group_of(rank));
  if (gang_.rank() == 0) {
    auto keeper = std::make_unique<MeetingKeeper>(MeetingKeeper::Settings{
        local_address(gang_.world(), "meeting"), groups, options_.patience, std::move(signs)});
    keeper_ = keeper.get();
    meeting_ = std::move(keeper);
  }
  const auto addresses = gang_.gather_texts(keeper_ != nullptr ? keeper_->address() : "");
  if (keeper_ != nullptr) {
    keeper_->admit(gang_.world().timeout);
  } else {
    meeting_ = std::make_unique<MeetingGuest>(
        MeetingGuest::Settings{addresses[0], gang_.rank(), options_.groups, gang_.world().timeout});
  }
  if (options_.host.declare) options_.host.declare(groups);
}

void HybridGroups::sum(std::vector<double>& values) {
  take(meeting_->sum(values));
}

void HybridGroups::make_equal(const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
  if (tensors.empty()) return;
  const at::NoGradGuard no_gradients;
  std::vector<at::Tensor> parts;  // copies: of their own memory, on the CPU
  std::size_t size = 0;
  for (const auto& [name, tensor] : tensors) {
    parts.push_back(tensor.detach().to(at::kCPU).contiguous().clone());
    size += parts.back().nbytes();
  }
  std::vector<std::byte> bytes(size);
  std::byte* at = bytes.data();
  for (const at::Tensor& part : parts) {
    std::memcpy(at, part.data_ptr(), part.nbytes());
    at += part.nbytes();
  }
  take(meeting_->share(bytes));
  at = bytes.data();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::memcpy(parts[i].data_ptr(), at, parts[i].nbytes());
    at::Tensor(tensors[i].second).copy_(parts[i]);
    at += parts[i].nbytes();
  }
}

void HybridGroups::take(const Present& present) {
  const bool fewer = present != present_;
  present_ = present;
  if (fewer) {
    news_ = std::to_string(alive()) + " of " + std::to_string(options_.groups) +
            " groups are left; they share all samples from the next epoch on";
  }
  if (keeper_ == nullptr) return;
  for (const auto& [group, why] : keeper_->take_lost()) {
    if (options_.host.end) options_.host.end(group, why);
  }
}

int HybridGroups::rank() const {
  int before = 0;
  for (int group = 0; group < number(); ++group) {
    if (present_[static_cast<std::size_t>(group)])
      before += static_cast<int>(ranks_of(group).count());
  }
  return before + own_->rank();
}

int HybridGroups::size() const {
  int ranks = 0;
  for (int group = 0; group < options_.groups; ++group) {
    if (present_[static_cast<std::size_t>(group)])
      ranks += static_cast<int>(ranks_of(group).count());
  }
  return ranks;
}

int HybridGroups::alive() const {
  return static_cast<int>(std::count(present_.begin(), present_.end(), true));
}

std::string HybridGroups::news() {
  return std::exchange(news_, "");
}

}  // namespace betatune::distributed
