#pragma once
/// What `betatune scaling` shows: a table, a JSON document, a picture.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/scaling.hpp"

namespace betatune {

struct ScalingReport {
  std::string study;
  std::string step;  ///< what one is called
  Json configuration;
  ScalingTable table;
  std::optional<ScalingFit> fit;
  int repeats = 1;
  int cpus_per_rank = 1, gpus_per_rank = 0;
  int cores = 1;                 ///< of this machine
  std::optional<double> target;  ///< in the user's own direction
  std::filesystem::path folder;  ///< of the studies, one per width
};

/// "samples/s", or "epochs/s" where the trainer does not report samples_per_second.
std::string rate_name(const ScalingReport& report);
std::string scaling_text(const ScalingReport& report);
Json scaling_json(const ScalingReport& report);
/// Rate over ranks, both in doublings, beside a line of efficiency 1: an SVG that needs no other
/// file.
std::string scaling_svg(const ScalingReport& report);

}  // namespace betatune
