#include "trainers/torch/distributed/data_parallel.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <torch/optim/optimizer.h>
#include <torch/serialize/archive.h>

#include "trainers/torch/distributed/communication_tuner.hpp"
#include "trainers/torch/distributed/optimizer_shards.hpp"
#include "trainers/torch/distributed/reducer.hpp"
#include "trainers/torch/distributed/replica.hpp"
#include "trainers/torch/distributed/timeline.hpp"

namespace betatune::distributed {
namespace {

using Clock = std::chrono::steady_clock;

/// Added to the norm, as everywhere, so that nothing is divided by zero.
constexpr double kNormEpsilon = 1e-6;

std::string state_path(const std::string& directory, int rank) {
  return directory + "/compression-rank-" + std::to_string(rank) + ".pt";
}

}  // namespace

DataParallel::DataParallel(std::unique_ptr<Communicator> communicator, DataParallelOptions options)
    : communicator_(std::move(communicator)), options_(std::move(options)) {}

DataParallel::~DataParallel() = default;

void DataParallel::attach(const Replica& replica) {
  replica_ = replica;
  check_replica(*communicator_, replica_, lines());
  make_equal(*communicator_, replica_.parameters);
  make_equal(*communicator_, replica_.buffers);
  if (!options_.timeline_path.empty()) timeline_ = std::make_unique<Timeline>(rank());
  compressor_ = make_compressor(*communicator_, options_.compression);
  if (size() > 1) {
    reducer_ = std::make_unique<Reducer>(*communicator_, *compressor_, replica_.parameters,
                                         options_.buckets, timeline_.get());
    if (options_.shard_optimizer) {
      shards_ = std::make_unique<OptimizerShards>(*communicator_, replica_.parameters);
    }
    if (options_.tuning_window > 0) {
      tuner_ = std::make_unique<CommunicationTuner>(*communicator_, *reducer_, options_.buckets,
                                                    options_.tuning_window);
    }
  }
}

std::vector<std::string> DataParallel::lines() const {
  const DataParallelOptions& o = options_;
  // Sums over elements, and so whether a gradient is clipped, depend on the number of threads.
  return {"threads " + std::to_string(at::get_num_threads()),
          "compression " + name_of(o.compression.kind) + ' ' + std::to_string(o.compression.rank) +
              " from step " + std::to_string(o.compression.start),
          "buckets of " + std::to_string(o.buckets.first_bytes) + " and " +
              std::to_string(o.buckets.bytes) + " bytes",
          "max_gradient_norm " + std::to_string(o.max_gradient_norm),
          "check_finite " + std::to_string(o.check_finite),
          "shard_optimizer " + std::to_string(o.shard_optimizer),
          "tuned in windows of " + std::to_string(o.tuning_window) + " steps",
          std::string("timeline ") + (o.timeline_path.empty() ? "no" : "yes")};
}

void DataParallel::backward(const at::Tensor& mean_loss, double share, bool last) {
  share_ += share;
  if (reducer_ && last) reducer_->begin(share_, steps_);
  const auto begin = Clock::now();
  (share == 1 ? mean_loss : mean_loss * share).backward();
  if (timeline_) timeline_->add(Timeline::Track::compute, "backward", begin, Clock::now());
}

double DataParallel::exchange() {
  const bool clip = options_.max_gradient_norm > 0;
  if (reducer_) return reducer_->finish(options_.check_finite, clip);
  if (!clip && !options_.check_finite) return std::numeric_limits<double>::quiet_NaN();
  const at::NoGradGuard no_gradients;
  double squares = 0;
  for (const auto& [name, p] : replica_.parameters) {
    if (!p.grad().defined()) continue;
    const double norm = p.grad().norm().item<double>();
    if (options_.check_finite && !std::isfinite(norm)) {
      throw plugin::Failure(BETATUNE_DIVERGED,
                            "the gradient is not finite (rank 0: parameter `" + name + "`)");
    }
    squares += norm * norm;
  }
  return std::sqrt(squares);
}

StepResult DataParallel::step(torch::optim::Optimizer& optimizer) {
  const auto begin = Clock::now();
  StepResult result;
  result.gradient_norm = exchange();
  const double limit = options_.max_gradient_norm;
  if (limit > 0 && result.gradient_norm > limit) {
    const double factor = limit / (result.gradient_norm + kNormEpsilon);
    const at::NoGradGuard no_gradients;
    for (auto& [name, p] : replica_.parameters) {
      if (p.grad().defined()) p.mutable_grad().mul_(factor);
    }
  }
  const auto exchanged = Clock::now();
  if (shards_) shards_->drop_gradients_of_others();
  optimizer.step();
  const auto stepped = Clock::now();
  if (shards_) {
    shards_->share_parameters();
    sharing_ += Clock::now() - stepped;
  }
  for (auto& [name, p] : replica_.parameters) p.mutable_grad().reset();
  share_ = 0;
  ++steps_;
  if (timeline_) {
    timeline_->add(Timeline::Track::compute, "wait for gradients", begin, exchanged);
    timeline_->add(Timeline::Track::compute, "optimizer", exchanged, stepped);
    if (shards_) {
      timeline_->add(Timeline::Track::compute, "share parameters", stepped, Clock::now());
    }
  }
  if (tuner_) tuner_->stepped();
  return result;
}

void DataParallel::finish_epoch() {
  if (tuner_) tuner_->paused();
  make_equal(*communicator_, replica_.buffers);
  if (!timeline_) return;
  const auto events = communicator_->gather_texts(timeline_->events_json());
  if (rank() == 0) write_trace(options_.timeline_path, events);
}

double DataParallel::waited_seconds() const {
  return (reducer_ ? reducer_->waited_seconds() : 0) + sharing_.count();
}

std::map<std::string, double> DataParallel::metrics() const {
  return tuner_ ? tuner_->metrics() : std::map<std::string, double>{};
}

std::string DataParallel::news() {
  return tuner_ ? tuner_->news() : "";
}

void DataParallel::sum(std::vector<double>& values) {
  communicator_->sum(values);
}

int DataParallel::optimizer_shards() const {
  return shards_ ? size() : 1;
}

bool DataParallel::owns(const at::Tensor& parameter) const {
  return !shards_ || shards_->owns(parameter);
}

Communicator* DataParallel::layers_communicator() {
  return size() > 1 ? communicator_.get() : nullptr;
}

void DataParallel::save(const std::string& directory) {
  if (tuner_) tuner_->save(directory);
  save_compression(directory);
}

void DataParallel::load(const std::string& directory) {
  if (tuner_) tuner_->load(directory);
  load_compression(directory);
}

void DataParallel::save_compression(const std::string& directory) {
  if (options_.compression.kind != CompressionKind::powersgd) return;
  torch::serialize::OutputArchive archive;
  archive.write("steps", at::scalar_tensor(steps_, at::kLong));
  const auto state = compressor_->state();
  archive.write("count", at::scalar_tensor(static_cast<std::int64_t>(state.size()), at::kLong));
  for (std::size_t i = 0; i < state.size(); ++i) {
    archive.write("name" + std::to_string(i), c10::IValue(state[i].first));
    archive.write("tensor" + std::to_string(i), state[i].second);
  }
  archive.save_to(state_path(directory, rank()));
}

void DataParallel::load_compression(const std::string& directory) {
  if (options_.compression.kind != CompressionKind::powersgd) return;
  const std::string path = state_path(directory, rank());
  try {
    torch::serialize::InputArchive archive;
    archive.load_from(path);
    at::Tensor number;
    archive.read("steps", number);
    steps_ = number.item<std::int64_t>();
    archive.read("count", number);
    std::vector<std::pair<std::string, at::Tensor>> state(
        static_cast<std::size_t>(number.item<std::int64_t>()));
    for (std::size_t i = 0; i < state.size(); ++i) {
      c10::IValue name;
      archive.read("name" + std::to_string(i), name);
      state[i].first = name.toStringRef();
      archive.read("tensor" + std::to_string(i), state[i].second);
    }
    compressor_->set_state(state);
  } catch (const std::exception& e) {
    const std::string text = e.what();
    throw plugin::Failure(BETATUNE_CHECKPOINT,
                          "the state of the gradient exchange in " + path +
                              " cannot be read: " + text.substr(0, text.find('\n')));
  }
}

std::string DataParallel::description() const {
  return "data parallel, " + std::to_string(size()) + " rank(s) over " + communicator_->name() +
         ", compression " + name_of(options_.compression.kind) +
         (shards_ ? ", optimizer in shards" : "");
}

std::vector<std::vector<std::size_t>> DataParallel::buckets() const {
  return reducer_ ? reducer_->buckets() : std::vector<std::vector<std::size_t>>{};
}

}  // namespace betatune::distributed
