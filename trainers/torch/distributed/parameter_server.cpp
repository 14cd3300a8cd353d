#include "trainers/torch/distributed/parameter_server.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <algorithm>
#include <cmath>
#include <torch/optim/optimizer.h>

#include "trainers/torch/distributed/replica.hpp"

namespace betatune::distributed {

using asynchronous::Layer;

namespace {

constexpr double kNormEpsilon = 1e-6;

/// The tensor on a layer's memory.
at::Tensor on(Layer& layer) {
  return at::from_blob(layer.data(), {static_cast<std::int64_t>(layer.size())}, at::kFloat);
}

}  // namespace

ParameterServer::ParameterServer(std::unique_ptr<Communicator> communicator,
                                 ParameterServerOptions options)
    : communicator_(std::move(communicator)), options_(std::move(options)) {
  configured_ = asynchronous::read_strategy(options_.strategy_json, size());
  make_groups();
  // The rule counts workers, of which a group is one.
  if (groups_) configured_ = asynchronous::read_strategy(options_.strategy_json, workers());
}

ParameterServer::~ParameterServer() {
  stop();
}

void ParameterServer::make_groups() {
  HybridGroups::Options options;
  options.groups = configured_.strategy->groups();
  if (options.groups == 0) return;
  options.backend = options_.backend;
  options.patience = options_.rank_timeout;
  options.host = options_.group_host;
  groups_ = std::make_unique<HybridGroups>(*communicator_, options);
}

void ParameterServer::attach(const Replica& replica) {
  replica_ = replica;
  check_replica(*communicator_, replica_,
                {configured_.identity, "servers " + std::to_string(options_.servers),
                 "sub-masters " + std::to_string(options_.sub_masters),
                 "rate " + std::to_string(options_.learning_rate)});
  make_equal(*communicator_, replica_.parameters);
  make_equal(*communicator_, replica_.buffers);
  start();
}

ServerTree::Options ParameterServer::tree_options() const {
  ServerTree::Options options;
  options.strategy_json = options_.strategy_json;
  options.servers = options_.servers;
  options.hosts = groups_ ? groups_->first_ranks() : communicator_->size();
  options.workers = workers();
  options.worker = worker_number();
  options.sub_masters = options_.sub_masters;
  options.mean = options_.sub_masters_mean;
  // A group that has ended holds up nobody's next step, whatever the staleness bound.
  if (groups_) options.gone_after = std::min(options.gone_after, options_.rank_timeout / 2);
  return options;
}

void ParameterServer::start() {
  stop();
  read_model(weights_);
  gradient_ = centre_ = asynchronous::zeros(asynchronous::sizes_of(weights_));
  tree_ = std::make_unique<ServerTree>(*communicator_, tree_options(), weights_);
  if (is_worker()) {
    worker_ = std::make_unique<asynchronous::Worker>(*configured_.strategy, tree_->channel());
    worker_->start(weights_);
  }
  if (groups_) groups_->open([this](int group) { return tree_->requests_of(group); });
}

void ParameterServer::stop() {
  worker_.reset();
  tree_.reset();
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
  groups_->own().sum(shares);
  const double mine = shares.front() > 0 ? share_ / shares.front() : 0;
  for (Layer& layer : gradient_) {
    on(layer).mul_(mine);
    groups_->own().all_reduce(on(layer));
  }
}

void ParameterServer::exchange() {
  if (is_worker()) worker_->step(weights_, gradient_);
  if (!groups_) return;
  for (Layer& layer : weights_) groups_->own().broadcast(on(layer), 0);
}

StepResult ParameterServer::step(torch::optim::Optimizer& optimizer) {
  // Without samples there is no gradient; but those who go in step wait for everybody's push.
  const bool waited_for =
      groups_ || options_.sub_masters > 0 || configured_.strategy->synchronous();
  if (share_ > 0 || waited_for) {
    before_forward();
    take_gradient(share_ > 0 ? 1 / share_ : 1);
    const double rate = optimizer.param_groups().front().options().get_lr();
    for (Layer& layer : gradient_) on(layer).mul_(rate / options_.learning_rate);
    const auto begin = std::chrono::steady_clock::now();
    if (groups_) average_in_group();
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
  std::vector<double> nothing;
  groups_ ? groups_->sum(nothing) : communicator_->barrier();
  if (is_worker()) worker_->read(centre_);
  if (groups_) {
    for (Layer& layer : centre_) groups_->own().broadcast(on(layer), 0);
  }
  write_model(centre_);
  shows_centre_ = true;
  groups_ ? groups_->make_equal(replica_.buffers) : make_equal(*communicator_, replica_.buffers);
}

std::map<std::string, double> ParameterServer::metrics() const {
  if (!groups_) return {};
  return {{"groups_alive", groups_->alive()}};
}

void ParameterServer::sum(std::vector<double>& values) {
  groups_ ? groups_->sum(values) : communicator_->sum(values);
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
  if (options_.sub_masters > 0) {
    text += ", " + std::to_string(options_.sub_masters) + " sub-master(s)";
  }
  if (groups_) text += ", " + std::to_string(workers()) + " group(s)";
  return text;
}

}  // namespace betatune::distributed
