#include "trainers/gpu_memory.hpp"

#include <fstream>
#include <unistd.h>

#include "searchspaces/log.hpp"
#include "trainers/processes.hpp"

namespace betatune {

Owner owner_of(pid_t pid) {
  if (has_ended(pid)) return Owner::nobody;
  return is_descendant(pid, ::getpid()) ? Owner::ours : Owner::others;
}

std::vector<GpuHolder> GpuMemory::left(const std::vector<std::string>& gpus) {
  if (failed_) return {};
  auto holders = lister_(gpus);
  if (!holders) {
    failed_ = true;
    log().warn("{}; that the memory of GPUs is free between trials is not looked at",
               holders.error().message);
    return {};
  }
  std::vector<GpuHolder> left;
  for (const GpuHolder& each : holders.value()) {
    const auto known = given_up_.find(each.gpu);
    if (known != given_up_.end() && known->second.count(each.pid) != 0) continue;
    if (owner_(each.pid) != Owner::others) left.push_back(each);
  }
  return left;
}

void GpuMemory::give_up(const std::vector<GpuHolder>& holders) {
  for (const GpuHolder& each : holders) given_up_[each.gpu].insert(each.pid);
}

std::string text_of(const std::vector<GpuHolder>& holders) {
  std::string text;
  for (const GpuHolder& each : holders) {
    std::string name;
    std::ifstream comm("/proc/" + std::to_string(each.pid) + "/comm");
    if (!std::getline(comm, name)) name = "ended";
    text += (text.empty() ? "" : "; ") + ("process " + std::to_string(each.pid)) + " (" + name +
            ") holds " + (each.bytes == 0 ? "memory" : std::to_string(each.bytes >> 20) + " MiB") +
            " of GPU " + each.gpu;
  }
  return text;
}

}  // namespace betatune
