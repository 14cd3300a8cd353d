#pragma once
/// How stale the pushes were: counts per tau.

#include <cstdint>
#include <map>

#include "trainers/torch/distributed/asynchronous/bytes.hpp"

namespace betatune::distributed::asynchronous {

class StalenessHistogram {
 public:
  void add(std::uint64_t staleness) { ++counts_[staleness]; }
  const std::map<std::uint64_t, std::uint64_t>& counts() const { return counts_; }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto& [staleness, count] : counts_) sum += count;
    return sum;
  }
  /// 0 without any push
  double mean() const {
    double sum = 0;
    for (const auto& [tau, count] : counts_) {
      sum += static_cast<double>(tau) * static_cast<double>(count);
    }
    return counts_.empty() ? 0 : sum / static_cast<double>(total());
  }
  std::uint64_t max() const { return counts_.empty() ? 0 : counts_.rbegin()->first; }

  void save(Writer& out) const {
    out.number(static_cast<std::uint64_t>(counts_.size()));
    for (const auto& [staleness, count] : counts_) out.number(staleness).number(count);
  }
  void load(Reader& in) {
    counts_.clear();
    for (auto left = in.number<std::uint64_t>(); left > 0; --left) {
      const auto staleness = in.number<std::uint64_t>();
      counts_[staleness] = in.number<std::uint64_t>();
    }
  }

 private:
  std::map<std::uint64_t, std::uint64_t> counts_;
};

}  // namespace betatune::distributed::asynchronous
