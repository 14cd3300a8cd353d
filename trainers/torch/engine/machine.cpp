#include "trainers/torch/engine/machine.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <limits>
#include <malloc.h>
#include <torch/cuda.h>
#include <torch/version.h>

namespace betatune::engine {
namespace {

/// The buffers of one step are freed in its end and wanted again by the next. Left alone, glibc
/// gives them back to the kernel and takes page faults for them every time: up to a third of a
/// step.
void keep_freed_memory() {
  constexpr int kNever = std::numeric_limits<int>::max();
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, kNever);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace

c10::Device prepare(const Machine& machine) {
  keep_freed_memory();
  at::set_num_threads(std::max(machine.cpu_threads, 1));
  if (!machine.use_gpu) return c10::kCPU;
  // Deterministic as far as CUDA goes; an operation without such a version warns. cuBLAS reads its
  // part from the environment when CUDA starts.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  if (!torch::cuda::is_available()) return c10::kCPU;
  at::globalContext().setBenchmarkCuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  const auto gpus = static_cast<int>(torch::cuda::device_count());
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(machine.gpu % std::max(gpus, 1))};
}

std::string describe(const c10::Device& device) {
  return device.str() + ", " + std::to_string(at::get_num_threads()) + " CPU thread(s), libtorch " +
         TORCH_VERSION;
}

std::string slow_blas_warning() {
  if (at::hasMKL()) return "";
  Dl_info where{};
  void* sgemm = dlsym(RTLD_DEFAULT, "sgemm_");
  if (sgemm == nullptr || dladdr(sgemm, &where) == 0) return "";
  // OpenBLAS, BLIS and ATLAS export one of these, themselves or from a library they need; the
  // reference has none. (Another library may have loaded OpenBLAS for itself, hence by handle.)
  void* library = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return "";
  bool fast = false;
  for (const char* symbol : {"openblas_get_config", "bli_info_get_version_str", "ATL_buildinfo"}) {
    fast = fast || dlsym(library, symbol) != nullptr;
  }
  const std::string file = where.dli_fname;
  dlclose(library);
  if (fast) return "";
  return "libtorch computes with the reference BLAS (" + file +
         "), about 20 times slower than OpenBLAS; install libopenblas0-openmp (Debian, Ubuntu)";
}

}  // namespace betatune::engine
