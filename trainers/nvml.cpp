#include "trainers/nvml.hpp"

#include <cstdlib>
#include <dlfcn.h>

#include "searchspaces/log.hpp"

namespace betatune {
namespace {

// From NVML's API reference: nvml.h is not needed to build.
constexpr int kSuccess = 0, kTooSmall = 7;
constexpr std::uint64_t kNotSaid = ~std::uint64_t{0};

using Device = struct NvmlDevice*;
struct ProcessInfo {
  unsigned pid;
  unsigned long long used;
  unsigned gpu_instance, compute_instance;
};

}  // namespace

struct Nvml::Functions {
  int (*init)();
  int (*count)(unsigned*);
  int (*by_uuid)(const char*, Device*);
  int (*by_index)(unsigned, Device*);
  int (*processes)(Device, unsigned*, ProcessInfo*);
  const char* (*text)(int);
};

Error Nvml::error(const std::string& what, int code) const {
  return Error{ErrorKind::unavailable, "NVML: " + what + ": " + functions_->text(code)};
}

Status Nvml::load() {
  if (std::exchange(tried_, true)) return Ok{};
  // Stays loaded: the driver's threads may run in it.
  void* library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    log().info("no NVML ({}): that the memory of GPUs is free between trials is not looked at",
               ::dlerror());
    return Ok{};
  }
  static Functions loaded;
  bool complete = true;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, name));
    complete = complete && function != nullptr;
  };
  find(loaded.init, "nvmlInit_v2");
  find(loaded.count, "nvmlDeviceGetCount_v2");
  find(loaded.by_uuid, "nvmlDeviceGetHandleByUUID");
  find(loaded.by_index, "nvmlDeviceGetHandleByIndex_v2");
  find(loaded.processes, "nvmlDeviceGetComputeRunningProcesses_v3");
  find(loaded.text, "nvmlErrorString");
  if (!complete) {
    return Error{ErrorKind::unavailable,
                 "NVML is too old: a driver of 2022 (510) or later has "
                 "nvmlDeviceGetComputeRunningProcesses_v3"};
  }
  functions_ = &loaded;
  const int code = loaded.init();
  if (code == kSuccess) return Ok{};
  const Error why = error("nvmlInit_v2", code);
  functions_ = nullptr;
  return why;
}

Result<int> Nvml::count() const {
  unsigned count = 0;
  const int code = functions_->count(&count);
  if (code != kSuccess) return error("nvmlDeviceGetCount_v2", code);
  return static_cast<int>(count);
}

Result<std::vector<GpuHolder>> Nvml::holders_of(const std::string& gpu) const {
  Device device = nullptr;
  char* end = nullptr;
  const unsigned long index = std::strtoul(gpu.c_str(), &end, 10);
  const bool is_index = !gpu.empty() && *end == '\0';
  int code = is_index ? functions_->by_index(static_cast<unsigned>(index), &device)
                      : functions_->by_uuid(gpu.c_str(), &device);
  if (code != kSuccess) return error("GPU " + gpu, code);
  std::vector<ProcessInfo> found(64);
  auto count = static_cast<unsigned>(found.size());
  while ((code = functions_->processes(device, &count, found.data())) == kTooSmall) {
    // Room for some more: they come and go.
    count += 16;
    found.resize(count);
  }
  if (code != kSuccess) return error("the processes on GPU " + gpu, code);
  std::vector<GpuHolder> holders;
  for (unsigned i = 0; i < count; ++i) {
    const std::uint64_t used = found[i].used;
    holders.push_back({gpu, static_cast<pid_t>(found[i].pid), used == kNotSaid ? 0 : used});
  }
  return holders;
}

Result<std::vector<GpuHolder>> Nvml::holders(const std::vector<std::string>& gpus) {
  BETATUNE_CHECK(load());
  std::vector<GpuHolder> all;
  if (functions_ == nullptr) return all;
  std::vector<std::string> names = gpus;
  if (names.empty()) {
    BETATUNE_TRY(const int n, count());
    for (int i = 0; i < n; ++i) names.push_back(std::to_string(i));
  }
  for (const std::string& gpu : names) {
    BETATUNE_TRY(const auto holders, holders_of(gpu));
    all.insert(all.end(), holders.begin(), holders.end());
  }
  return all;
}

}  // namespace betatune
