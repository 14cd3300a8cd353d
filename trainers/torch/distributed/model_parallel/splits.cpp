#include "trainers/torch/distributed/model_parallel/splits.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace betatune::distributed {
namespace {

using Visit = std::function<void(const std::string& name, const at::Tensor&, const Split&)>;

void visit_parameters(const torch::nn::Module& module, const std::string& prefix,
                      const Visit& visit) {
  const auto* split_module = dynamic_cast<const SplitModule*>(&module);
  for (const auto& parameter : module.named_parameters(/*recurse=*/false)) {
    Split split;
    if (split_module != nullptr) {
      const auto found = split_module->splits().find(parameter.key());
      if (found != split_module->splits().end()) split = found->second;
    }
    visit(prefix + parameter.key(), parameter.value(), split);
  }
  for (const auto& child : module.named_children()) {
    visit_parameters(*child.value(), prefix + child.key() + '.', visit);
  }
}

NamedTensors whole(Communicator& communicator, const torch::nn::Module& module, bool gradients) {
  const at::NoGradGuard no_gradients;
  NamedTensors tensors;
  visit_parameters(module, "", [&](const std::string& name, const at::Tensor& p, const Split& s) {
    const at::Tensor gradient = gradients ? p.grad() : at::Tensor();
    const at::Tensor part = !gradients           ? p.detach()
                            : gradient.defined() ? gradient
                                                 : at::zeros_like(p);
    tensors.emplace_back(name, whole_of(communicator, part, s));
  });
  return tensors;
}

std::string sizes_text(const std::vector<std::int64_t>& sizes) {
  std::string text = "[";
  for (const std::int64_t size : sizes) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  }
  return text + ']';
}

[[noreturn]] void refuse(const std::string& text) {
  throw plugin::Failure(BETATUNE_CHECKPOINT, "the weights do not fit the model: " + text);
}

}  // namespace

at::Tensor part_of(const at::Tensor& whole, const Split& split, int rank, int ranks) {
  if (split.dimension == Split::kNotSplit) return whole.clone();
  std::vector<at::Tensor> parts;
  for (const at::Tensor& block : whole.chunk(split.blocks, split.dimension)) {
    const std::int64_t size = block.size(split.dimension) / ranks;
    parts.push_back(block.narrow(split.dimension, rank * size, size));
  }
  return at::cat(parts, split.dimension).contiguous();
}

at::Tensor whole_of(Communicator& communicator, const at::Tensor& part, const Split& split) {
  if (split.dimension == Split::kNotSplit) return part.clone();
  std::vector<std::int64_t> sizes = part.sizes().vec();
  sizes.insert(sizes.begin(), communicator.size());
  const auto parts = at::empty(sizes, part.options().requires_grad(false));
  communicator.all_gather(parts, part.contiguous());
  std::vector<at::Tensor> pieces;
  for (std::int64_t block = 0; block < split.blocks; ++block) {
    for (const at::Tensor& of_rank : at::unbind(parts, 0)) {
      pieces.push_back(
          of_rank.chunk(split.blocks, split.dimension)[static_cast<std::size_t>(block)]);
    }
  }
  return at::cat(pieces, split.dimension);
}

at::Tensor SplitModule::register_part(const std::string& name, const at::Tensor& whole,
                                      const Split& split, const Communicator& communicator) {
  if (split.dimension != Split::kNotSplit) splits_[name] = split;
  const at::NoGradGuard no_gradients;
  return register_parameter(name, part_of(whole, split, communicator.rank(), communicator.size()));
}

NamedTensors whole_parameters(Communicator& communicator, const torch::nn::Module& module) {
  return whole(communicator, module, /*gradients=*/false);
}

NamedTensors whole_gradients(Communicator& communicator, const torch::nn::Module& module) {
  return whole(communicator, module, /*gradients=*/true);
}

void load_whole_parameters(const Communicator& communicator, torch::nn::Module& module,
                           const NamedTensors& whole) {
  const std::map<std::string, at::Tensor> given(whole.begin(), whole.end());
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  visit_parameters(module, "", [&](const std::string& name, const at::Tensor& p, const Split& s) {
    const auto found = given.find(name);
    if (found == given.end()) refuse("parameter `" + name + "` is missing");
    std::vector<std::int64_t> expected = p.sizes().vec();
    if (s.dimension != Split::kNotSplit) {
      expected[static_cast<std::size_t>(s.dimension)] *= communicator.size();
    }
    if (found->second.sizes() != at::IntArrayRef(expected)) {
      refuse("parameter `" + name + "` is " + sizes_text(found->second.sizes().vec()) +
             ", the model's " + sizes_text(expected));
    }
    copies.emplace_back(p, part_of(found->second, s, communicator.rank(), communicator.size()));
  });
  if (copies.size() != whole.size()) {
    refuse(std::to_string(whole.size()) + " parameters are given, the model has " +
           std::to_string(copies.size()));
  }
  const at::NoGradGuard no_gradients;
  for (auto& [parameter, part] : copies) parameter.copy_(part);
}

}  // namespace betatune::distributed
