#pragma once
/// The machine as libtorch sees it.

#include <string>

namespace c10 {
struct Device;
}

namespace betatune::engine {

struct Machine {
  int cpu_threads = 1;
  bool use_gpu = false;  ///< if libtorch sees one
  int gpu = 0;           ///< which of the visible ones, counted round
};

/// Sets up threads, memory and determinism for a training in this process.
/// returns the device to train on: a GPU where one is wanted and there, else the CPU
c10::Device prepare(const Machine& machine);

/// For logs: "cpu, 1 CPU thread(s), libtorch 1.13.0".
std::string describe(const c10::Device& device);

/// A warning if this process computes with the reference BLAS (about 20 times slower), else "".
std::string slow_blas_warning();

}  // namespace betatune::engine
