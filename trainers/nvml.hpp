#pragma once
/// Which processes hold memory of NVIDIA GPUs, as the driver's management library (NVML) says. It
/// is loaded when first asked for; where it is not installed, nobody holds anything.

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "searchspaces/result.hpp"

namespace betatune {

struct GpuHolder {
  std::string gpu;          ///< as asked for
  pid_t pid = 0;            ///< as the driver counts: in a container it may be the host's number
  std::uint64_t bytes = 0;  ///< 0: the driver does not say
  bool operator==(const GpuHolder&) const = default;
};

class Nvml {
 public:
  Nvml() = default;
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  /// gpus     as CUDA_VISIBLE_DEVICES has them: UUIDs ("GPU-8932f937-...", "MIG-..."), or numbers,
  ///          which are taken in the order of PCI; empty: all there are
  /// returns  empty where there is no NVML
  /// errors   unavailable: NVML's own
  Result<std::vector<GpuHolder>> holders(const std::vector<std::string>& gpus);

 private:
  struct Functions;

  Status load();
  Result<std::vector<GpuHolder>> holders_of(const std::string& gpu) const;
  Result<int> count() const;
  Error error(const std::string& what, int code) const;

  const Functions* functions_ = nullptr;
  bool tried_ = false;
};

}  // namespace betatune
