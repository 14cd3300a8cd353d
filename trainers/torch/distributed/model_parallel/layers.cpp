#include "trainers/torch/distributed/model_parallel/layers.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <torch/nn/modules/linear.h>

#include "trainers/torch/distributed/model_parallel/regions.hpp"

namespace betatune::distributed {
namespace {

void check_divides(const std::string& layer, const char* what, std::int64_t count, int ranks) {
  if (count > 0 && count % ranks == 0) return;
  throw CommunicationError(BETATUNE_ERROR,
                           layer + ": " + std::to_string(count) + ' ' + what +
                               " cannot be shared equally by " + std::to_string(ranks) +
                               " ranks; take a multiple of " + std::to_string(ranks));
}

std::string layer_text(const char* kind, std::int64_t inputs, std::int64_t outputs) {
  return std::string(kind) + '(' + std::to_string(inputs) + " -> " + std::to_string(outputs) + ')';
}

/// The layer of one process; all ranks must have drawn the same.
torch::nn::Linear whole_linear(Communicator& communicator, const std::string& layer,
                               std::int64_t inputs, std::int64_t outputs, bool bias) {
  torch::nn::Linear linear(torch::nn::LinearOptions(inputs, outputs).bias(bias));
  const at::NoGradGuard no_gradients;
  // Two sums tell generators in different states apart, but for a chance of 2^-60 or so.
  const auto weight = linear->weight.to(at::kDouble);
  char text[80];
  std::snprintf(text, sizeof text, "weights with sum %a, squares %a", weight.sum().item<double>(),
                weight.square().sum().item<double>());
  check_agreement(communicator, layer + " (seed the ranks that share it equally): line", {text});
  return linear;
}

}  // namespace

ColumnParallelLinear::ColumnParallelLinear(Communicator& communicator, std::int64_t inputs,
                                           std::int64_t outputs,
                                           const ColumnParallelOptions& options)
    : communicator_(communicator), whole_output_(options.whole_output) {
  const std::string layer = layer_text("ColumnParallelLinear", inputs, outputs);
  check_divides(layer, "outputs", outputs, communicator.size());
  if (outputs % (options.blocks * communicator.size()) != 0) {
    check_divides(layer + " in " + std::to_string(options.blocks) + " blocks", "outputs of a block",
                  outputs / options.blocks, communicator.size());
  }
  const auto linear = whole_linear(communicator, layer, inputs, outputs, options.bias);
  const Split split{0, options.blocks};
  weight_ = register_part("weight", linear->weight, split, communicator);
  if (options.bias) bias_ = register_part("bias", linear->bias, split, communicator);
}

at::Tensor ColumnParallelLinear::forward(const at::Tensor& x) {
  const auto y = at::linear(copy_to_ranks(communicator_, x), weight_, bias_);
  return whole_output_ ? whole_of_parts(communicator_, y, -1) : y;
}

RowParallelLinear::RowParallelLinear(Communicator& communicator, std::int64_t inputs,
                                     std::int64_t outputs, const RowParallelOptions& options)
    : communicator_(communicator), whole_input_(options.whole_input) {
  const std::string layer = layer_text("RowParallelLinear", inputs, outputs);
  check_divides(layer, "inputs", inputs, communicator.size());
  const auto linear = whole_linear(communicator, layer, inputs, outputs, options.bias);
  weight_ = register_part("weight", linear->weight, {1, 1}, communicator);
  if (options.bias) bias_ = register_part("bias", linear->bias, {}, communicator);
}

at::Tensor RowParallelLinear::forward(const at::Tensor& x) {
  const auto part = whole_input_ ? own_part(communicator_, x, -1) : x;
  const auto y = sum_over_ranks(communicator_, at::linear(part, weight_));
  return bias_.defined() ? y + bias_ : y;
}

ParallelMlp::ParallelMlp(Communicator& communicator, std::int64_t units, std::int64_t hidden)
    : up_(register_module("up",
                          std::make_shared<ColumnParallelLinear>(communicator, units, hidden))),
      down_(register_module("down",
                            std::make_shared<RowParallelLinear>(communicator, hidden, units))) {}

at::Tensor ParallelMlp::forward(const at::Tensor& x) {
  return down_->forward(at::gelu(up_->forward(x)));
}

ParallelSelfAttention::ParallelSelfAttention(Communicator& communicator, std::int64_t units,
                                             std::int64_t heads, bool causal)
    : causal_(causal) {
  const std::string layer = "ParallelSelfAttention(" + std::to_string(units) + " units, " +
                            std::to_string(heads) + " heads)";
  check_divides(layer, "heads", heads, communicator.size());
  if (units < 1 || units % heads != 0) {
    throw CommunicationError(BETATUNE_ERROR, layer + ": the units must be a multiple of the heads");
  }
  heads_ = heads / communicator.size();
  head_units_ = units / heads;
  ColumnParallelOptions options;
  options.blocks = 3;
  in_ = register_module(
      "in", std::make_shared<ColumnParallelLinear>(communicator, units, 3 * units, options));
  out_ = register_module("out", std::make_shared<RowParallelLinear>(communicator, units, units));
}

at::Tensor ParallelSelfAttention::forward(const at::Tensor& x) {
  const std::int64_t n = x.size(0), places = x.size(1);
  const auto heads_first = [&](const at::Tensor& t) {
    return t.view({n, places, heads_, head_units_}).transpose(1, 2);
  };
  const auto blocks = in_->forward(x).chunk(3, -1);
  const auto q = heads_first(blocks[0]), k = heads_first(blocks[1]), v = heads_first(blocks[2]);
  auto scores = at::matmul(q, k.transpose(-2, -1)) / std::sqrt(static_cast<double>(head_units_));
  if (causal_) {
    const auto later = at::ones({places, places}, x.options().dtype(at::kBool)).triu(1);
    scores = scores.masked_fill(later, -std::numeric_limits<double>::infinity());
  }
  const auto seen = at::matmul(at::softmax(scores, -1), v);  // n x heads x places x head units
  return out_->forward(seen.transpose(1, 2).reshape({n, places, heads_ * head_units_}));
}

}  // namespace betatune::distributed
