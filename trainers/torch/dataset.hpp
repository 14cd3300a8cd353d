#pragma once
/// The images of a study: training, validation and test sets as bytes.

#include <cstdint>
#include <vector>

#include "trainers/torch/settings.hpp"

namespace betatune::classifier {

struct ImageSet {
  std::int64_t count = 0;
  std::vector<std::uint8_t> pixels;  ///< count x height x width
  std::vector<std::int64_t> labels;  ///< count
};

struct Dataset {
  std::int64_t height = 0, width = 0, classes = 0;
  /// Training and validation images come from the `train-*` files by a permutation of split_seed:
  /// validation first, so it stays the same when train_samples changes. Test: the first of
  /// `t10k-*`.
  ImageSet train, validation, test;
  double mean = 0, stddev = 1;  ///< of the training pixels, 0..255
  std::uint32_t checksum = 0;   ///< CRC-32 of the training set's labels and pixels
};

/// Keeps only the images asked for: about height * width bytes each.
/// errors plugin::Failure for files that are missing, truncated, corrupt or do not fit together
Dataset load_dataset(const DataSettings& settings);

}  // namespace betatune::classifier
