#pragma once
/// What makes two reports of one sequence number the same: step and metrics as they are recorded.

#include "optimizer/event.hpp"
#include "optimizer/hash.hpp"

namespace betatune {

inline std::uint64_t report_hash(const Reported& report) {
  Hasher hash;
  hash.add(report.step).add(std::uint64_t{report.diverged ? 1u : 0u});
  for (const auto& [name, number] : report.metrics) hash.add(std::string_view(name)).add(number);
  return hash.value();
}

}  // namespace betatune
