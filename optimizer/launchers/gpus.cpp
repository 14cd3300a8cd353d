#include "optimizer/launchers/gpus.hpp"

#include <algorithm>
#include <filesystem>

namespace betatune {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

std::vector<std::string> visible_gpus(const char* inherited, const std::string& driver_directory) {
  std::vector<std::string> gpus;
  if (inherited != nullptr) {
    for (const std::string& name : split(inherited)) {
      if (name.empty() || name.front() == '-') break;
      gpus.push_back(name);
    }
    return gpus;
  }
  std::error_code ignored;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(driver_directory, ignored)) {
    gpus.push_back(std::to_string(gpus.size()));
  }
  return gpus;
}

std::string gpu_slice(const std::vector<std::string>& gpus, int index, int each) {
  std::string slice;
  const int take = std::min(each, static_cast<int>(gpus.size()));
  for (int k = 0; k < take; ++k) {
    const auto at = static_cast<std::size_t>(index * take + k) % gpus.size();
    slice += (slice.empty() ? "" : ",") + gpus[at];
  }
  return slice;
}

}  // namespace betatune
