#include "trainers/torch/distributed/server_tree.hpp"

#include <sstream>

#include "trainers/torch/distributed/asynchronous/socket_link.hpp"
#include "trainers/torch/distributed/asynchronous/sub_master.hpp"

namespace betatune::distributed {

using asynchronous::Layers;
using asynchronous::Link;
using asynchronous::ServerThread;
using asynchronous::Sizes;
using asynchronous::SocketLink;
using asynchronous::SocketLinkSettings;
using asynchronous::SocketServerSettings;

namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Of the layers that are on one server.
Sizes sizes_on(const Sizes& all, const std::vector<std::size_t>& owner, std::size_t server) {
  Sizes own;
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (owner[k] == server) own.push_back(all[k]);
  }
  return own;
}

}  // namespace

ServerTree::ServerTree(Communicator& communicator, Options options, const Layers& weights)
    : communicator_(communicator),
      options_(std::move(options)),
      sizes_(asynchronous::sizes_of(weights)),
      owner_(asynchronous::shard_layers(sizes_, static_cast<std::size_t>(options_.servers))) {
  start_servers(weights);
  if (options_.sub_masters > 0) start_sub_master();
}

/// To the servers a sub-master is one worker.
int ServerTree::workers_of_servers() const {
  return options_.sub_masters > 0 ? options_.sub_masters : options_.workers;
}

int ServerTree::workers_below(int sub_master) const {
  return (options_.workers - sub_master + options_.sub_masters - 1) / options_.sub_masters;
}

std::string ServerTree::identity_for(int workers) const {
  return asynchronous::read_strategy(options_.strategy_json, workers).identity;
}

void ServerTree::start_servers(const Layers& weights) {
  const World& world = communicator_.world();
  std::vector<std::string> mine;
  for (int s = world.rank; world.rank < options_.hosts && s < options_.servers;
       s += options_.hosts) {
    SocketServerSettings settings;
    settings.address = local_address(world, "server-" + std::to_string(s));
    settings.strategy = options_.strategy_json;
    settings.workers = workers_of_servers();
    settings.gone_after = options_.gone_after;
    servers_.push_back(std::make_unique<ServerThread>(
        settings, asynchronous::layers_of(weights, owner_, static_cast<std::size_t>(s))));
    mine.push_back(servers_.back()->address());
  }
  const auto texts = communicator_.gather_texts(joined(mine));
  for (int s = 0; s < options_.servers; ++s) {
    const auto of_host = lines_of(texts[static_cast<std::size_t>(s % options_.hosts)]);
    servers_at_.push_back(of_host.at(static_cast<std::size_t>(s / options_.hosts)));
  }
}

void ServerTree::start_sub_master() {
  const World& world = communicator_.world();
  if (world.rank < options_.sub_masters) {
    SocketServerSettings settings;
    settings.address = local_address(world, "sub-master-" + std::to_string(world.rank));
    settings.strategy = options_.strategy_json;
    settings.workers = workers_below(world.rank);
    const auto below = asynchronous::read_strategy(settings.strategy, settings.workers);
    sub_master_ = std::make_unique<ServerThread>(
        settings,
        std::make_unique<asynchronous::SubMaster>(
            below,
            asynchronous::SubMasterSettings{settings.workers, settings.workers, options_.mean},
            sizes_, to_servers(world.rank)));
  }
  sub_masters_at_ = communicator_.gather_texts(sub_master_ ? sub_master_->address() : "");
}

std::unique_ptr<asynchronous::Channel> ServerTree::to_servers(int worker) const {
  std::vector<std::unique_ptr<Link>> links;
  for (std::size_t s = 0; s < servers_at_.size(); ++s) {
    SocketLinkSettings link;
    link.address = servers_at_[s];
    link.rank = worker;
    link.identity = identity_for(workers_of_servers());
    link.sizes = sizes_on(sizes_, owner_, s);
    link.answer_timeout = communicator_.world().timeout;
    links.push_back(std::make_unique<SocketLink>(link));
  }
  return std::make_unique<Channel>(std::move(links), owner_);
}

std::unique_ptr<asynchronous::Channel> ServerTree::channel() const {
  if (options_.sub_masters == 0) return to_servers(options_.worker);
  const int above = options_.worker % options_.sub_masters;
  SocketLinkSettings link;
  link.address = sub_masters_at_[static_cast<std::size_t>(above)];
  link.rank = options_.worker / options_.sub_masters;
  link.identity = identity_for(workers_below(above));
  link.sizes = sizes_;
  link.answer_timeout = communicator_.world().timeout;
  std::vector<std::unique_ptr<Link>> links;
  links.push_back(std::make_unique<SocketLink>(link));
  return std::make_unique<Channel>(std::move(links), std::vector<std::size_t>(sizes_.size(), 0));
}

}  // namespace betatune::distributed
