#include "trainers/torch/distributed/optimizer_shards.hpp"

#include <ATen/ATen.h>
#include <sstream>
#include <torch/optim/optimizer.h>
#include <torch/serialize/archive.h>
#include <type_traits>

#include "trainers/torch/distributed/shards.hpp"

namespace betatune::distributed {
namespace {

/// A parameter of as many bytes is worth a message of its own, without being copied.
constexpr std::size_t kLargeBytes = 64 << 10;

constexpr const char* kShards = "betatune_shards";  ///< only in files of several

std::string path_of(const std::string& directory, int shard) {
  return directory +
         (shard == 0 ? "/optimizer.pt" : "/optimizer-rank-" + std::to_string(shard) + ".pt");
}

at::Tensor memory_of(const at::Tensor& t) {
  return t.detach().as_strided({t.numel()}, {1}, t.storage_offset());
}

bool is_dense(const at::Tensor& t) {
  return t.is_non_overlapping_and_dense();
}

/// libtorch finds a parameter's state by the address of its implementation; up to some version of
/// 2.x as a text.
template <class Key>
Key state_key(const at::Tensor& parameter) {
  if constexpr (std::is_same_v<Key, std::string>) {
    std::ostringstream text;
    text << parameter.unsafeGetTensorImpl();
    return text.str();
  } else {
    return parameter.unsafeGetTensorImpl();
  }
}

}  // namespace

OptimizerShards::OptimizerShards(Communicator& communicator,
                                 const std::vector<std::pair<std::string, at::Tensor>>& parameters)
    : communicator_(communicator) {
  std::vector<std::size_t> sizes;
  for (const auto& [name, p] : parameters) sizes.push_back(p.nbytes());
  const auto owners = assign_owners(sizes, static_cast<std::size_t>(communicator.size()));
  std::map<std::pair<int, at::ScalarType>, Message> small;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor& p = parameters[i].second;
    const int owner = static_cast<int>(owners[i]);
    owners_[p.unsafeGetTensorImpl()] = owner;
    if (owner != communicator.rank()) others_.push_back(p);
    if (sizes[i] == 0) continue;
    if (sizes[i] >= kLargeBytes && is_dense(p)) {
      messages_.push_back({owner, {p}});
      continue;
    }
    Message& message = small[{owner, p.scalar_type()}];
    message.owner = owner;
    message.parameters.push_back(p);
  }
  for (auto& [key, message] : small) messages_.push_back(std::move(message));
}

bool OptimizerShards::owns(const at::Tensor& parameter) const {
  const auto owner = owners_.find(parameter.unsafeGetTensorImpl());
  return owner == owners_.end() || owner->second == communicator_.rank();
}

void OptimizerShards::drop_gradients_of_others() {
  for (at::Tensor& p : others_) p.mutable_grad().reset();
}

void OptimizerShards::share_parameters() {
  if (communicator_.size() == 1) return;
  const at::NoGradGuard no_gradients;
  std::vector<at::Tensor> sent;
  std::vector<Communicator::Handle> works;
  for (const Message& message : messages_) {
    std::vector<at::Tensor> parts;
    const bool copied = message.parameters.size() > 1 || !is_dense(message.parameters[0]);
    for (const auto& p : message.parameters) {
      parts.push_back(copied ? p.detach().reshape({-1}) : memory_of(p));
    }
    sent.push_back(copied ? at::cat(parts) : parts[0]);
    // As bytes: any type.
    works.push_back(communicator_.start_broadcast(sent.back().view(at::kByte), message.owner));
  }
  for (std::size_t m = 0; m < works.size(); ++m) {
    works[m]->wait();
    const Message& message = messages_[m];
    const bool in_place = message.parameters.size() == 1 && is_dense(message.parameters[0]);
    if (in_place || message.owner == communicator_.rank()) continue;
    std::int64_t at = 0;
    for (const auto& p : message.parameters) {
      p.detach().copy_(sent[m].narrow(0, at, p.numel()).view(p.sizes()));
      at += p.numel();
    }
  }
}

void save_optimizer(const torch::optim::Optimizer& optimizer, const std::string& directory,
                    int shard, int shards) {
  torch::serialize::OutputArchive archive;
  optimizer.save(archive);
  if (shards > 1) archive.write(kShards, c10::IValue(std::to_string(shards)));
  archive.save_to(path_of(directory, shard));
}

void load_optimizer(torch::optim::Optimizer& optimizer, const std::string& directory,
                    const at::Device& device, const std::function<bool(const at::Tensor&)>& keep) {
  auto& state = optimizer.state();
  using State = std::decay_t<decltype(state)>;
  State kept;
  int shards = 1;
  for (int shard = 0; shard < shards; ++shard) {
    const std::string path = path_of(directory, shard);
    const auto fail = [&](const std::string& why) {
      throw plugin::Failure(BETATUNE_CHECKPOINT, "the state of the optimizer in " + path + why +
                                                     "; go on from an "
                                                     "earlier checkpoint");
    };
    try {
      torch::serialize::InputArchive archive;
      archive.load_from(path, device);
      c10::IValue text;
      const int count = archive.try_read(kShards, text) ? std::stoi(text.toStringRef()) : 1;
      if (shard == 0) shards = count;
      if (count != shards) {
        fail(" is of a checkpoint of " + std::to_string(count) + " rank(s), that of rank 0 of " +
             std::to_string(shards));
      }
      state.clear();
      optimizer.load(archive);
    } catch (const plugin::Failure&) {
      throw;
    } catch (const std::exception& e) {
      const std::string what = e.what();
      fail(" cannot be read: " + what.substr(0, what.find('\n')));
    }
    for (const auto& group : optimizer.param_groups()) {
      for (const auto& p : group.params()) {
        const auto found = state.find(state_key<typename State::key_type>(p));
        if (found != state.end() && keep(p)) kept[found->first] = std::move(found->second);
      }
    }
  }
  state = std::move(kept);
}

}  // namespace betatune::distributed
