#include "trainers/torch/distributed/asynchronous/channel.hpp"

#include "trainers/torch/distributed/shards.hpp"

namespace betatune::distributed::asynchronous {

std::vector<std::size_t> shard_layers(const Sizes& sizes, std::size_t servers) {
  return assign_owners(sizes, servers);
}

Layers layers_of(const Layers& all, const std::vector<std::size_t>& owner, std::size_t server) {
  Layers own;
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (owner[k] == server) own.push_back(all[k]);
  }
  return own;
}

Channel::Channel(std::vector<std::unique_ptr<Link>> links, std::vector<std::size_t> owner)
    : links_(std::move(links)), layers_(links_.size()) {
  for (std::size_t k = 0; k < owner.size(); ++k) layers_.at(owner[k]).push_back(k);
}

void Channel::pull(Layers& centre, std::vector<std::uint64_t>& versions) {
  versions.resize(centre.size());
  for (auto& link : links_) link->send({});
  for (std::size_t s = 0; s < links_.size(); ++s) receive(s, &centre, versions);
}

bool Channel::push(const Layers& values, const std::vector<std::uint64_t>& bases, Layers* centre,
                   std::vector<std::uint64_t>& versions) {
  for (std::size_t s = 0; s < links_.size(); ++s) {
    Request request{true, centre != nullptr, {}, {}};
    for (const std::size_t k : layers_[s]) {
      request.bases.push_back(bases[k]);
      request.values.emplace_back(values[k]);
    }
    links_[s]->send(request);
  }
  bool accepted = true;
  for (std::size_t s = 0; s < links_.size(); ++s) accepted &= receive(s, centre, versions);
  return accepted;
}

bool Channel::receive(std::size_t server, Layers* centre, std::vector<std::uint64_t>& versions) {
  Response response;
  if (centre != nullptr) {
    for (const std::size_t k : layers_[server]) response.centre.emplace_back((*centre)[k]);
  }
  links_[server]->receive(response);
  for (std::size_t i = 0; i < layers_[server].size(); ++i) {
    versions[layers_[server][i]] = response.versions[i];
  }
  return response.accepted;
}

void Channel::leave() {
  for (auto& link : links_) link->leave();
}

}  // namespace betatune::distributed::asynchronous
