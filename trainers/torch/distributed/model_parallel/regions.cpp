#include "trainers/torch/distributed/model_parallel/regions.hpp"

#include <ATen/ATen.h>
#include <string>
#include <torch/csrc/autograd/custom_function.h>

namespace betatune::distributed {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// How to go back is saved with the node: the communicator by address, as it outlives the graph.
void save(AutogradContext* context, Communicator* communicator, std::int64_t dimension = 0) {
  context->saved_data["communicator"] = reinterpret_cast<std::int64_t>(communicator);
  context->saved_data["dimension"] = dimension;
}
Communicator& saved_communicator(AutogradContext* context) {
  return *reinterpret_cast<Communicator*>(context->saved_data["communicator"].toInt());
}
std::int64_t saved_dimension(AutogradContext* context) {
  return context->saved_data["dimension"].toInt();
}

/// Each backward pass is its conjugate's forward pass, and so can be differentiated itself.
struct CopyToRanks : torch::autograd::Function<CopyToRanks> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Communicator* c) {
    save(context, c);
    return x;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {sum_over_ranks(saved_communicator(context), gradients[0]), at::Tensor()};
  }
};

struct SumOverRanks : torch::autograd::Function<SumOverRanks> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Communicator* c) {
    save(context, c);
    const auto sum = x.clone(at::MemoryFormat::Contiguous);
    c->all_reduce(sum, Reduction::sum);
    return sum;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {copy_to_ranks(saved_communicator(context), gradients[0]), at::Tensor()};
  }
};

struct OwnPart : torch::autograd::Function<OwnPart> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Communicator* c,
                            std::int64_t dimension) {
    save(context, c, dimension);
    const std::int64_t size = x.size(dimension) / c->size();
    return x.narrow(dimension, c->rank() * size, size).clone(at::MemoryFormat::Contiguous);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {whole_of_parts(saved_communicator(context), gradients[0], saved_dimension(context)),
            at::Tensor(), at::Tensor()};
  }
};

struct WholeOfParts : torch::autograd::Function<WholeOfParts> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, Communicator* c,
                            std::int64_t dimension) {
    save(context, c, dimension);
    const auto part = x.contiguous();
    std::vector<std::int64_t> sizes = part.sizes().vec();
    sizes.insert(sizes.begin(), c->size());
    const auto parts = at::empty(sizes, part.options());
    c->all_gather(parts, part);
    return at::cat(at::unbind(parts, 0), dimension);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {own_part(saved_communicator(context), gradients[0], saved_dimension(context)),
            at::Tensor(), at::Tensor()};
  }
};

std::int64_t checked(const char* operation, const at::Tensor& x, std::int64_t dimension) {
  const std::int64_t index = dimension < 0 ? dimension + x.dim() : dimension;
  if (index >= 0 && index < x.dim()) return index;
  throw CommunicationError(BETATUNE_ERROR, std::string(operation) + " along dimension " +
                                               std::to_string(dimension) + " of a tensor with " +
                                               std::to_string(x.dim()));
}

}  // namespace

at::Tensor copy_to_ranks(Communicator& communicator, const at::Tensor& x) {
  return communicator.size() == 1 ? x : CopyToRanks::apply(x, &communicator);
}

at::Tensor sum_over_ranks(Communicator& communicator, const at::Tensor& x) {
  return communicator.size() == 1 ? x : SumOverRanks::apply(x, &communicator);
}

at::Tensor own_part(Communicator& communicator, const at::Tensor& x, std::int64_t dimension) {
  const std::int64_t index = checked("own_part", x, dimension);
  const int ranks = communicator.size();
  if (x.size(index) % ranks != 0) {
    throw CommunicationError(BETATUNE_ERROR,
                             "own_part: dimension " + std::to_string(index) + " has " +
                                 std::to_string(x.size(index)) + " elements, which " +
                                 std::to_string(ranks) +
                                 " ranks cannot share equally; take a multiple of the ranks");
  }
  return ranks == 1 ? x : OwnPart::apply(x, &communicator, index);
}

at::Tensor whole_of_parts(Communicator& communicator, const at::Tensor& x, std::int64_t dimension) {
  const std::int64_t index = checked("whole_of_parts", x, dimension);
  return communicator.size() == 1 ? x : WholeOfParts::apply(x, &communicator, index);
}

}  // namespace betatune::distributed
