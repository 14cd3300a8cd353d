#include "trainers/torch/distributed/replica.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <map>

namespace betatune::distributed {
namespace {

std::string shape_of(const at::Tensor& tensor) {
  std::string text = at::toString(tensor.scalar_type());
  text += " [";
  for (std::int64_t i = 0; i < tensor.dim(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(tensor.size(i));
  }
  return text + ']';
}

}  // namespace

void check_replica(Communicator& communicator, const Replica& replica,
                   const std::vector<std::string>& settings) {
  std::vector<std::string> parameters, buffers;
  for (const auto& [name, t] : replica.parameters) parameters.push_back(name + ' ' + shape_of(t));
  for (const auto& [name, t] : replica.buffers) buffers.push_back(name + ' ' + shape_of(t));
  check_agreement(communicator, "setting", settings);
  check_agreement(communicator, "parameter", parameters);
  check_agreement(communicator, "buffer", buffers);
}

void make_equal(Communicator& communicator,
                const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
  if (communicator.size() == 1) return;
  const at::NoGradGuard no_gradients;
  std::map<at::ScalarType, std::vector<at::Tensor>> by_type;
  for (const auto& [name, t] : tensors) by_type[t.scalar_type()].push_back(t.detach());
  for (const auto& [type, group] : by_type) {
    std::vector<at::Tensor> parts;
    for (const auto& t : group) parts.push_back(t.reshape({-1}));
    auto flat = at::cat(parts);
    // As bytes: types that are not exchanged otherwise (bool) may be buffers.
    communicator.broadcast(flat.view(at::kByte), 0);
    std::int64_t at = 0;
    for (const auto& t : group) {
      const_cast<at::Tensor&>(t).copy_(flat.narrow(0, at, t.numel()).view(t.sizes()));
      at += t.numel();
    }
  }
}

}  // namespace betatune::distributed
