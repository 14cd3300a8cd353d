#include "trainers/torch/distributed/parameter_server.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <torch/optim/optimizer.h>

#include "trainers/torch/distributed/asynchronous/socket_link.hpp"
#include "trainers/torch/distributed/replica.hpp"

namespace betatune::distributed {

using asynchronous::Channel;
using asynchronous::Layer;
using asynchronous::Link;

namespace {

constexpr double kNormEpsilon = 1e-6;

/// The tensor on a layer's memory.
at::Tensor on(Layer& layer) {
  return at::from_blob(layer.data(), {static_cast<std::int64_t>(layer.size())}, at::kFloat);
}

struct Group {
  int number = 0;
  Slice ranks;
};

/// The group of a rank. Ranks of a group are neighbours, as on a machine.
Group group_of(const World& world, int groups) {
  Group group{0, slice_of(world.size, 0, groups)};
  while (world.rank >= group.ranks.end) {
    ++group.number;
    group.ranks = slice_of(world.size, group.number, groups);
  }
  return group;
}

/// The world of a rank's group, which meets beside the gang.
World group_world(const World& world, int groups) {
  const Group group = group_of(world, groups);
  World mine = world;
  mine.rank = world.rank - static_cast<int>(group.ranks.begin);
  mine.size = static_cast<int>(group.ranks.count());
  mine.rendezvous += ".group-" + std::to_string(group.number);
  return mine;
}

/// Where a server listens: beside the ranks' meeting place, where only this user can connect,
/// unless the path is too long for a Unix socket.
std::string server_address(const World& world) {
  constexpr std::size_t kLongest = 100;  // sun_path holds 107 characters
  const auto suffix = ".server-" + std::to_string(world.rank);
  if (world.size > 1) {
    const Rendezvous at = parse_rendezvous(world.rendezvous);
    const std::string path = at.path + suffix;
    if (at.kind == Rendezvous::Kind::file && path.size() <= kLongest) return "unix://" + path;
  }
  return "tcp://127.0.0.1:0";
}

}  // namespace

ParameterServer::ParameterServer(std::unique_ptr<Communicator> communicator,
                                 ParameterServerOptions options)
    : communicator_(std::move(communicator)), options_(std::move(options)) {
  configured_ = asynchronous::read_strategy(options_.strategy_json, size());
  make_group();
  // The rule counts workers, of which a group is one.
  if (group_) configured_ = asynchronous::read_strategy(options_.strategy_json, workers());
}

ParameterServer::~ParameterServer() {
  stop();
}

void ParameterServer::make_group() {
  const int groups = configured_.strategy->groups();
  if (groups == 0) return;
  group_ = make_communicator(options_.backend, group_world(communicator_->world(), groups));
}

int ParameterServer::workers() const {
  const int groups = configured_.strategy->groups();
  return groups == 0 ? size() : groups;
}

int ParameterServer::worker_number() const {
  return group_ ? group_of(communicator_->world(), workers()).number : rank();
}

void ParameterServer::attach(const Replica& replica) {
  replica_ = replica;
  check_replica(*communicator_, replica_,
                {configured_.identity, "servers " + std::to_string(options_.servers),
                 "rate " + std::to_string(options_.learning_rate)});
  make_equal(*communicator_, replica_.parameters);
  make_equal(*communicator_, replica_.buffers);
  start();
}

void ParameterServer::start() {
  stop();
  read_model(weights_);
  gradient_ = centre_ = asynchronous::zeros(asynchronous::sizes_of(weights_));
  const auto servers = static_cast<std::size_t>(options_.servers);
  const auto owner = asynchronous::shard_layers(asynchronous::sizes_of(weights_), servers);
  const auto here = static_cast<std::size_t>(rank());
  if (here < servers) {
    asynchronous::SocketServerSettings settings;
    settings.address = server_address(communicator_->world());
    settings.strategy = options_.strategy_json;
    settings.workers = workers();
    server_ = std::make_unique<asynchronous::ServerThread>(
        settings, asynchronous::layers_of(weights_, owner, here));
  }
  const auto addresses = communicator_->gather_texts(server_ ? server_->address() : "");
  if (!is_worker()) return;
  std::vector<std::unique_ptr<Link>> links;
  for (std::size_t s = 0; s < servers; ++s) {
    asynchronous::SocketLinkSettings link;
    link.address = addresses[s];
    link.rank = worker_number();
    link.identity = configured_.identity;
    link.sizes = asynchronous::sizes_of(asynchronous::layers_of(weights_, owner, s));
    link.answer_timeout = communicator_->world().timeout;
    links.push_back(std::make_unique<asynchronous::SocketLink>(link));
  }
  worker_ = std::make_unique<asynchronous::Worker>(
      *configured_.strategy, std::make_unique<Channel>(std::move(links), owner));
  worker_->start(weights_);
}

void ParameterServer::stop() {
  worker_.reset();
  server_.reset();
}

void ParameterServer::read_model(Layers& layers) const {
  const at::NoGradGuard no_gradients;
  layers.resize(replica_.parameters.size());
  for (std::size_t k = 0; k < layers.size(); ++k) {
    const at::Tensor& parameter = replica_.parameters[k].second;
    layers[k].resize(static_cast<std::size_t>(parameter.numel()));
    on(layers[k]).copy_(parameter.reshape({-1}));
  }
}

void ParameterServer::write_model(const Layers& layers) {
  const at::NoGradGuard no_gradients;
  for (std::size_t k = 0; k < layers.size(); ++k) {
    at::Tensor parameter = replica_.parameters[k].second;
    parameter.copy_(on(const_cast<Layer&>(layers[k])).view(parameter.sizes()));
  }
}

void ParameterServer::before_forward() {
  if (!shows_centre_) return;
  write_model(weights_);
  shows_centre_ = false;
}

void ParameterServer::backward(const at::Tensor& mean_loss, double share, bool) {
  share_ += share;
  (mean_loss * share).backward();
}

/// gradient_ := factor times the model's gradient, decayed and clipped.
void ParameterServer::take_gradient(double factor) {
  const at::NoGradGuard no_gradients;
  for (std::size_t k = 0; k < gradient_.size(); ++k) {
    const auto& [name, parameter] = replica_.parameters[k];
    at::Tensor g = on(gradient_[k]);
    if (parameter.grad().defined()) {
      g.copy_(parameter.grad().reshape({-1}));
      if (!at::isfinite(g.sum()).item<bool>()) {
        throw plugin::Failure(BETATUNE_DIVERGED, "the gradient is not finite (rank " +
                                                     std::to_string(rank()) + ": parameter `" +
                                                     name + "`)");
      }
      g.mul_(factor);
    } else {
      g.zero_();
    }
    if (options_.weight_decay > 0) g.add_(on(weights_[k]), options_.weight_decay);
  }
  clip();
}

void ParameterServer::clip() {
  if (options_.max_gradient_norm <= 0) return;
  double squares = 0;
  for (Layer& layer : gradient_) squares += std::pow(on(layer).norm().item<double>(), 2);
  const double norm = std::sqrt(squares);
  if (norm <= options_.max_gradient_norm) return;
  for (Layer& layer : gradient_) on(layer).mul_(options_.max_gradient_norm / (norm + kNormEpsilon));
}

/// Weighs by samples, so that a group is like one process with the samples of all its ranks.
void ParameterServer::average_in_group() {
  std::vector<double> shares{share_};
  group_->sum(shares);
  const double mine = shares.front() > 0 ? share_ / shares.front() : 0;
  for (Layer& layer : gradient_) {
    on(layer).mul_(mine);
    group_->all_reduce(on(layer));
  }
}

void ParameterServer::exchange() {
  if (is_worker()) worker_->step(weights_, gradient_);
  if (!group_) return;
  for (Layer& layer : weights_) group_->broadcast(on(layer), 0);
}

StepResult ParameterServer::step(torch::optim::Optimizer& optimizer) {
  // Without samples there is no gradient; but those who go in step wait for everybody's push.
  const bool waited_for = group_ || configured_.strategy->synchronous();
  if (share_ > 0 || waited_for) {
    before_forward();
    take_gradient(share_ > 0 ? 1 / share_ : 1);
    const double rate = optimizer.param_groups().front().options().get_lr();
    for (Layer& layer : gradient_) on(layer).mul_(rate / options_.learning_rate);
    const auto begin = std::chrono::steady_clock::now();
    if (group_) average_in_group();
    exchange();
    waited_ += std::chrono::steady_clock::now() - begin;
    write_model(weights_);
  }
  for (const auto& [name, parameter] : replica_.parameters) {
    at::Tensor(parameter).mutable_grad() = at::Tensor();
  }
  share_ = 0;
  return {};
}

void ParameterServer::finish_epoch() {
  communicator_->barrier();
  if (is_worker()) worker_->read(centre_);
  if (group_) {
    for (Layer& layer : centre_) group_->broadcast(on(layer), 0);
  }
  write_model(centre_);
  shows_centre_ = true;
  make_equal(*communicator_, replica_.buffers);
}

void ParameterServer::load(const std::string&) {
  // The model has been loaded: its weights are the centre from now on.
  make_equal(*communicator_, replica_.parameters);
  shows_centre_ = false;
  start();
}

std::string ParameterServer::description() const {
  std::string text = configured_.name + ", " + std::to_string(size()) + " rank(s), " +
                     std::to_string(options_.servers) + " server(s)";
  if (group_) text += ", " + std::to_string(workers()) + " group(s)";
  return text;
}

}  // namespace betatune::distributed
