#pragma once
/// Data sets that are made, not read: sample i of a part is a function of (seed, part, i) alone, so
/// a larger set begins with the smaller one, and every trial of a study has the same data.

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "trainers/torch/engine/fields.hpp"
#include "trainers/torch/engine/part.hpp"

namespace betatune::collisions {

struct DataSettings {
  std::int64_t train_samples = 0, validation_samples = 0, test_samples = 0;
  std::uint64_t seed = 0;  ///< apart from the trial's seed: all trials see the same data
};

/// Reads train_samples, validation_samples, test_samples and data_seed of trainer.config.
DataSettings read_data(engine::Fields& config, const DataSettings& defaults);

struct Table {
  std::vector<float> values;         ///< n x width, row by row
  std::vector<std::int64_t> labels;  ///< n
};

struct Generated {
  std::array<Table, 3> parts;  ///< training, validation, test
  std::uint32_t checksum = 0;  ///< CRC-32 of the training part's labels and values

  const Table& of(engine::Part part) const { return parts[static_cast<std::size_t>(part)]; }
};

/// Fills a row of zeros, returns its label. `key` is the only source of what is random.
using MakeSample = std::function<std::int64_t(std::uint64_t key, std::span<float> row)>;

Generated generate(const DataSettings& settings, std::size_t width, const MakeSample& make);

}  // namespace betatune::collisions
