#include "trainers/torch/engine/precision.hpp"

#include <ATen/autocast_mode.h>
#include <torch/version.h>

namespace betatune::engine {
namespace {

namespace autocast = at::autocast;

void enable(bool on_gpu, bool enabled) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  const auto type = on_gpu ? at::kCUDA : at::kCPU;
  autocast::set_autocast_dtype(type, at::kBFloat16);
  autocast::set_autocast_enabled(type, enabled);
#else
  if (on_gpu) {
    autocast::set_autocast_gpu_dtype(at::kBFloat16);
    autocast::set_enabled(enabled);
  } else {
    autocast::set_autocast_cpu_dtype(at::kBFloat16);
    autocast::set_cpu_enabled(enabled);
  }
#endif
}

}  // namespace

InPrecision::InPrecision(Precision precision, const at::Device& device)
    : active_(precision == Precision::bf16), on_gpu_(device.is_cuda()) {
  if (!active_) return;
  enable(on_gpu_, true);
  autocast::increment_nesting();
}

InPrecision::~InPrecision() {
  if (!active_) return;
  // Weights are cast once per forward pass, and change behind it.
  if (autocast::decrement_nesting() == 0) autocast::clear_cache();
  enable(on_gpu_, false);
}

}  // namespace betatune::engine
