#include "trainers/torch/distributed/model_parallel/pipeline.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <deque>
#include <torch/csrc/autograd/autograd.h>
#include <torch/optim/optimizer.h>
#include <utility>

#include "trainers/torch/distributed/model_parallel/schedule.hpp"
#include "trainers/torch/distributed/model_parallel/stage_link.hpp"
#include "trainers/torch/distributed/reducer.hpp"
#include "trainers/torch/distributed/replica.hpp"

namespace betatune::distributed {
namespace {

/// Added to the norm, as everywhere, so that nothing is divided by zero.
constexpr double kNormEpsilon = 1e-6;

/// All ranks of a pipeline find the same, at the same time: nobody has to be told.
class Diverged final : public plugin::Failure {
 public:
  explicit Diverged(const std::string& text)
      : plugin::Failure(BETATUNE_DIVERGED, "the gradient is not finite: " + text) {}
};

std::string number(std::int64_t value) {
  return std::to_string(value);
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::unique_ptr<Communicator> meet(Backend backend, const World& world) {
  return make_communicator(world.size == 1 ? Backend::automatic : backend, world);
}

void check_options(const Grid& grid, const PipelineOptions& options) {
  (void)warm_up_length(0, grid.stages, options.micro_batches);
  if (grid.tensor > 1 && options.max_gradient_norm > 0) {
    throw plugin::Failure(
        BETATUNE_ERROR, "max_gradient_norm " + std::to_string(options.max_gradient_norm) +
                            " in a pipeline whose stages are split over " + number(grid.tensor) +
                            " ranks each: the norm over split weights is not written; set it to 0");
  }
}

/// The samples of one micro-batch of `tensor`.
at::Tensor micro_batch(const at::Tensor& tensor, const char* what, const PipelineBatch& batch,
                       const Slice& slice) {
  if (!tensor.defined() || tensor.dim() == 0 || tensor.size(0) != batch.samples) {
    throw plugin::Failure(
        BETATUNE_ERROR, "a pipeline's batch of " + number(batch.samples) + " samples has " +
                            (tensor.defined() && tensor.dim() > 0 ? number(tensor.size(0)) : "no") +
                            ' ' + what);
  }
  return tensor.slice(0, slice.begin, slice.end);
}

}  // namespace

struct Pipeline::Impl {
  /// A micro-batch that is forward and not yet backward.
  struct Flight {
    at::Tensor input, output;  ///< last stage: output is the weighted loss
  };
  /// What a step has come to, over the ranks of a pipeline.
  struct Totals {
    double loss = 0, squares = 0;
  };

  World world;
  Grid grid;
  PipelineStage stage;
  PipelineOptions options;
  Place place;
  std::unique_ptr<Communicator> stages, copies;
  std::unique_ptr<Compressor> compressor;
  std::unique_ptr<Reducer> reducer;
  std::int64_t steps = 0;
  bool among_copies = false;  ///< which of the two groups is waited in, for errors

  bool first() const { return place.stage == 0; }
  bool last() const { return place.stage + 1 == grid.stages; }

  template <class F>
  auto guarded(F call);
  std::string explained(const std::string& text) const;
  void tell_others(const std::string& reason);

  void connect();
  void check_stage() const;
  void check_batch(const PipelineBatch& batch) const;
  at::Device device(const PipelineBatch& batch) const;
  Flight forward(StageLink& link, const PipelineBatch& batch, int i, double& loss, bool train);
  void backward(StageLink& link, const Flight& flight) const;
  std::string own_gradient(double& squares) const;
  std::string exchange(double& squares);
  Totals total(double loss, double squares, const std::string& problem);
  double over_copies(double loss);
  PipelineResult finish_step(torch::optim::Optimizer* optimizer, double loss);
  PipelineResult train_step(torch::optim::Optimizer* optimizer, const PipelineBatch& batch);
  double score(const PipelineBatch& batch);
};

/// Runs a collective call; if it fails here, it fails on the other ranks, too.
template <class F>
auto Pipeline::Impl::guarded(F call) {
  try {
    return call();
  } catch (const Diverged&) {
    throw;
  } catch (const CommunicationError& e) {
    const std::string text = explained(e.what());
    tell_others(text);
    throw CommunicationError(e.failure_class(), text);
  } catch (const std::exception& e) {
    tell_others(explained(first_line(e.what())));
    throw;
  }
}

/// The groups number their ranks from 0; people know those of the gang.
std::string Pipeline::Impl::explained(const std::string& text) const {
  const Place start =
      among_copies ? Place{0, place.stage, place.tensor} : Place{place.data, 0, place.tensor};
  const int stride = among_copies ? grid.stages * grid.tensor : grid.tensor;
  std::string where = "rank " + number(world.rank) + " of the gang (pipeline " +
                      number(place.data) + ", stage " + number(place.stage) + "): " + text;
  if (grid.size() == grid.stages) return where;  // the same numbers
  return where + " (a rank k before these words is " + (among_copies ? "pipeline" : "stage") +
         " k: rank " + number(rank_of(grid, start)) + " + " + number(stride) + " * k of the gang)";
}

void Pipeline::Impl::tell_others(const std::string& reason) {
  if (stages) stages->abort(reason);
  if (copies) copies->abort(reason);
}

void Pipeline::Impl::connect() {
  stages = meet(options.backend, pipeline_world(world, grid));
  copies = meet(options.backend, data_world(world, grid));
  check_stage();
  const std::vector<std::string> lines{
      "grid " + number(grid.data) + " x " + number(grid.stages) + " x " + number(grid.tensor),
      "micro-batches " + number(options.micro_batches),
      "max_gradient_norm " + std::to_string(options.max_gradient_norm),
      "check_finite " + number(options.check_finite ? 1 : 0)};
  check_agreement(*stages, "pipeline setting", lines);
  among_copies = true;
  check_replica(*copies, stage.replica, lines);
  make_equal(*copies, stage.replica.parameters);
  make_equal(*copies, stage.replica.buffers);
  among_copies = false;
  if (grid.data == 1) return;
  compressor = make_compressor(*copies, {});
  reducer = std::make_unique<Reducer>(*copies, *compressor, stage.replica.parameters,
                                      options.buckets, nullptr);
}

void Pipeline::Impl::check_stage() const {
  const char* problem = nullptr;
  if (!stage.forward) problem = "has no forward function";
  if (last() && !stage.loss) problem = "is the last and has no loss function";
  if (!last() && stage.loss) problem = "has a loss function, but is not the last";
  if (problem == nullptr) return;
  throw plugin::Failure(BETATUNE_ERROR, "stage " + number(place.stage) + " of " +
                                            number(grid.stages) + ' ' + problem);
}

void Pipeline::Impl::check_batch(const PipelineBatch& batch) const {
  if (batch.samples >= options.micro_batches) return;
  throw plugin::Failure(BETATUNE_ERROR, "a batch of " + number(batch.samples) +
                                            " samples cannot be cut into " +
                                            number(options.micro_batches) +
                                            " micro-batches; take fewer, or a larger batch");
}

at::Device Pipeline::Impl::device(const PipelineBatch& batch) const {
  if (!stage.replica.parameters.empty()) return stage.replica.parameters[0].second.device();
  return batch.inputs.defined() ? batch.inputs.device() : at::Device(at::kCPU);
}

/// loss  grows by the micro-batch's part in the mean over the step
Pipeline::Impl::Flight Pipeline::Impl::forward(StageLink& link, const PipelineBatch& batch, int i,
                                               double& loss, bool train) {
  const Slice slice = slice_of(batch.samples, i, options.micro_batches);
  Flight flight;
  flight.input =
      first() ? micro_batch(batch.inputs, "inputs", batch, slice) : link.receive_activation();
  if (!first() && train) flight.input.requires_grad_(true);
  flight.output = stage.forward(flight.input);
  if (!last()) {
    if (!at::isFloatingType(flight.output.scalar_type())) {
      throw plugin::Failure(BETATUNE_ERROR, "stage " + number(place.stage) +
                                                " has an output of type " +
                                                at::toString(flight.output.scalar_type()) +
                                                ": gradients need a floating one");
    }
    link.send_activation(flight.output.detach(), train);
    return flight;
  }
  const auto mean = stage.loss(flight.output, micro_batch(batch.targets, "targets", batch, slice));
  const double part =
      batch.share * static_cast<double>(slice.count()) / static_cast<double>(batch.samples);
  flight.output = mean * part;
  loss += part * mean.item<double>();
  return flight;
}

void Pipeline::Impl::backward(StageLink& link, const Flight& flight) const {
  if (last()) {
    flight.output.backward();
  } else {
    const auto gradient = link.receive_gradient(flight.output);
    // A first stage need not have parameters.
    if (flight.output.requires_grad()) torch::autograd::backward({flight.output}, {gradient});
  }
  if (first()) return;
  const at::Tensor& gradient = flight.input.grad();
  link.send_gradient(gradient.defined() ? gradient : at::zeros_like(flight.input).detach());
}

/// Without other pipelines. returns "" or the parameter whose gradient is not finite
std::string Pipeline::Impl::own_gradient(double& squares) const {
  for (const auto& [name, p] : stage.replica.parameters) {
    if (!p.grad().defined()) continue;
    const double norm = p.grad().norm().item<double>();
    if (options.check_finite && !std::isfinite(norm)) return "parameter `" + name + '`';
    squares += norm * norm;
  }
  return "";
}

/// squares  grows by that of this stage's gradient, summed over the pipelines
std::string Pipeline::Impl::exchange(double& squares) {
  const at::NoGradGuard no_gradients;
  if (!reducer) return own_gradient(squares);
  among_copies = true;
  try {
    const double norm = reducer->finish(options.check_finite, /*norm=*/true);
    squares += norm * norm;
    among_copies = false;
    return "";
  } catch (const plugin::Failure& e) {
    if (e.failure_class() != BETATUNE_DIVERGED) throw;
    among_copies = false;
    return std::string(e.what()) + ", ranks being pipelines";
  }
}

Pipeline::Impl::Totals Pipeline::Impl::total(double loss, double squares,
                                             const std::string& problem) {
  std::vector<double> values{loss, squares, problem.empty() ? 0.0 : 1.0};
  stages->sum(values);
  if (values[2] == 0) return {values[0], values[1]};
  const auto problems = stages->gather_texts(problem);
  std::string text;
  for (std::size_t s = 0; s < problems.size(); ++s) {
    if (problems[s].empty()) continue;
    text += (text.empty() ? "" : "; ") + ("stage " + std::to_string(s)) + ": " + problems[s];
  }
  throw Diverged(text);
}

double Pipeline::Impl::over_copies(double loss) {
  if (grid.data == 1) return loss;
  std::vector<double> values{loss};
  among_copies = true;
  copies->sum(values);
  among_copies = false;
  return values[0];
}

PipelineResult Pipeline::Impl::finish_step(torch::optim::Optimizer* optimizer, double loss) {
  double squares = 0;
  const std::string problem = exchange(squares);
  const Totals totals = total(loss, squares, problem);
  PipelineResult result;
  result.gradient_norm =
      grid.tensor == 1 ? std::sqrt(totals.squares) : std::numeric_limits<double>::quiet_NaN();
  const double limit = options.max_gradient_norm;
  if (limit > 0 && result.gradient_norm > limit) {
    const double factor = limit / (result.gradient_norm + kNormEpsilon);
    const at::NoGradGuard no_gradients;
    for (auto& [name, p] : stage.replica.parameters) {
      if (p.grad().defined()) p.mutable_grad().mul_(factor);
    }
  }
  if (optimizer != nullptr) optimizer->step();
  for (auto& [name, p] : stage.replica.parameters) p.mutable_grad().reset();
  ++steps;
  result.loss = over_copies(totals.loss);
  return result;
}

PipelineResult Pipeline::Impl::train_step(torch::optim::Optimizer* optimizer,
                                          const PipelineBatch& batch) {
  check_batch(batch);
  StageLink link(*stages, device(batch));
  std::deque<Flight> flights;
  double loss = 0;
  const int count = options.micro_batches;
  for (const PipelineStep& step : one_forward_one_backward(place.stage, grid.stages, count)) {
    if (step.kind == PipelineStep::Kind::forward) {
      flights.push_back(forward(link, batch, step.micro_batch, loss, /*train=*/true));
      continue;
    }
    if (reducer && step.micro_batch + 1 == count) reducer->begin(batch.share, steps);
    backward(link, flights.front());
    flights.pop_front();
  }
  link.finish();
  return finish_step(optimizer, loss);
}

double Pipeline::Impl::score(const PipelineBatch& batch) {
  check_batch(batch);
  const at::NoGradGuard no_gradients;
  StageLink link(*stages, device(batch));
  double loss = 0;
  for (int i = 0; i < options.micro_batches; ++i) {
    (void)forward(link, batch, i, loss, /*train=*/false);
  }
  link.finish();
  return over_copies(total(loss, 0, "").loss);
}

Pipeline::Pipeline(const World& world, const Grid& grid, PipelineStage stage,
                   const PipelineOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->world = world;
  impl_->grid = grid;
  impl_->stage = std::move(stage);
  impl_->options = options;
  impl_->place = place_of(grid, world);
  check_options(impl_->grid, impl_->options);
  impl_->guarded([&] { impl_->connect(); });
}

Pipeline::~Pipeline() = default;

PipelineResult Pipeline::train_step(torch::optim::Optimizer* optimizer,
                                    const PipelineBatch& batch) {
  return impl_->guarded([&] { return impl_->train_step(optimizer, batch); });
}

double Pipeline::score(const PipelineBatch& batch) {
  return impl_->guarded([&] { return impl_->score(batch); });
}

void Pipeline::finish_epoch() {
  impl_->guarded([&] {
    impl_->among_copies = true;
    make_equal(*impl_->copies, impl_->stage.replica.buffers);
    impl_->among_copies = false;
  });
}

const Place& Pipeline::place() const {
  return impl_->place;
}
bool Pipeline::is_first_stage() const {
  return impl_->first();
}
bool Pipeline::is_last_stage() const {
  return impl_->last();
}

std::string Pipeline::description() const {
  return "pipeline of " + describe_schedule(impl_->grid.stages, impl_->options.micro_batches) +
         ", " + number(impl_->grid.data) + " pipeline(s), over " + impl_->stages->name();
}

}  // namespace betatune::distributed
