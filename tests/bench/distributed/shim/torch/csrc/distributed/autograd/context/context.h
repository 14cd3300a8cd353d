#pragma once
// Debian's libtorch-dev leaves this header out, which c10d/reducer.hpp includes for one pointer and
// the type of a map in it that this benchmark does not use.
#include <ATen/core/Dict.h>
#include <memory>

namespace torch::distributed::autograd {
struct DistAutogradContext {
  using GradCallback = std::function<bool(at::Tensor&)>;
};
using ContextPtr = std::shared_ptr<DistAutogradContext>;
}  // namespace torch::distributed::autograd
