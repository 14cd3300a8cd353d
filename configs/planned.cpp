#include "configs/planned.hpp"

#include <array>
#include <string>

namespace betatune {
namespace {

constexpr std::array kPlanned = {
    PlannedKey{"report", "TensorBoard files and a metrics port.",
               "export with `betatune export` after or during the run"},
    PlannedKey{"transfer", "Learning from earlier studies.", "write it under `algorithm:`"},
    PlannedKey{"resources.mem", "Memory of one trial.", "set the limit in the trainer"},
    PlannedKey{"resources.backend", "The collective library of a trial.",
               "the trainer chooses it in this version"},
};

std::string_view take_name(std::string_view& path) {
  const std::size_t end = path.find('.');
  const std::string_view name = path.substr(0, end);
  path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  return name;
}

bool matches(std::string_view pattern, std::string_view path) {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = take_name(pattern);
    const std::string_view name = take_name(path);
    if (wanted != "*" && wanted != name) return false;
  }
  return pattern.empty() && path.empty();
}

// "objectives[0]" and "parameters.lr" alike become dotted names.
std::string dotted(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '[') out += '.';
    if (c != '[' && c != ']') out += c;
  }
  return out;
}

}  // namespace

std::span<const PlannedKey> planned_keys() {
  return kPlanned;
}

const PlannedKey* find_planned(std::string_view path, std::string_view key) {
  const std::string full = (path.empty() ? "" : dotted(path) + ".") + std::string(key);
  for (const PlannedKey& planned : kPlanned) {
    if (matches(planned.path, full)) return &planned;
  }
  return nullptr;
}

}  // namespace betatune
