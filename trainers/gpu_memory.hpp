#pragma once
/// Whether the GPUs of a trial are free of what the trials before it held. The driver releases a
/// process's memory as the process ends, which of one that was killed can be later than its parent
/// learns of the end; a trial that starts at once would run out of memory.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <sys/types.h>
#include <vector>

#include "trainers/nvml.hpp"

namespace betatune {

/// What this machine knows of a process number.
enum class Owner {
  nobody,  ///< it has ended
  ours,    ///< below this process
  others,  ///< anybody else's
};
Owner owner_of(pid_t pid);

class GpuMemory {
 public:
  using Lister = std::function<Result<std::vector<GpuHolder>>(const std::vector<std::string>&)>;

  explicit GpuMemory(Lister lister, std::function<Owner(pid_t)> owner = owner_of)
      : lister_(std::move(lister)), owner_(std::move(owner)) {}

  /// What has ended and still holds memory of these GPUs, or is of this process and about to end.
  /// Others' living processes are their affair. Where NVML fails, that is said once, and nothing is
  /// left.
  ///
  /// gpus  used by no trial that runs
  std::vector<GpuHolder> left(const std::vector<std::string>& gpus);
  /// It does not go away: from now on it is taken for a part of the machine.
  void give_up(const std::vector<GpuHolder>& holders);

 private:
  Lister lister_;
  std::function<Owner(pid_t)> owner_;
  std::map<std::string, std::set<pid_t>> given_up_;  ///< by GPU
  bool failed_ = false;
};

/// "process 4711 (python3) holds 812 MiB of GPU GPU-8932f937-...", each behind a "; ".
std::string text_of(const std::vector<GpuHolder>& holders);

}  // namespace betatune
