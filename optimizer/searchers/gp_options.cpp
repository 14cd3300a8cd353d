#include "optimizer/searchers/gp_options.hpp"

#include <fmt/format.h>

namespace betatune {
namespace {

constexpr int kMostEffort = 64;

}  // namespace

bool GpOptions::check(const ConfigNode& node, Diagnostics& problems) const {
  if (raw_points < 16) {
    problems.error("E0408", "`algorithm.raw_points` must be at least 16", node.mark());
  }
  if (starts < 1) {
    problems.error("E0408", "`algorithm.starts` must be at least 1", node.mark());
  }
  if (effort < 1 || effort > kMostEffort) {
    problems.error("E0408", fmt::format("`algorithm.effort` must be between 1 and {}", kMostEffort),
                   node.mark());
  }
  return raw_points >= 16 && starts >= 1 && effort >= 1 && effort <= kMostEffort;
}

}  // namespace betatune
