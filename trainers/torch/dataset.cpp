#include "trainers/torch/dataset.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <span>
#include <string>
#include <zlib.h>

#include "trainers/torch/engine/random.hpp"
#include "trainers/torch/idx_reader.hpp"
#include "trainers/trainer.hpp"

namespace betatune::classifier {
namespace {

using engine::derive_key;
using engine::permutation;
using engine::Purpose;

[[noreturn]] void error(const std::string& text) {
  throw plugin::Failure(BETATUNE_ERROR, text);
}

std::vector<std::uint8_t> read_labels(const std::filesystem::path& path) {
  IdxReader file(path, 1);
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(file.shape()[0]));
  file.read(labels);
  file.expect_end();
  return labels;
}

void open_set(ImageSet& set, std::int64_t count, std::size_t image_bytes) {
  set.count = count;
  set.pixels.reserve(static_cast<std::size_t>(count) * image_bytes);
  set.labels.reserve(static_cast<std::size_t>(count));
}

void append(ImageSet& set, std::span<const std::uint8_t> image, std::uint8_t label) {
  set.pixels.insert(set.pixels.end(), image.begin(), image.end());
  set.labels.push_back(label);
}

/// Streams the images of one file pair; `chosen[i]` is the set that takes image i, or null.
void read_images(IdxReader& file, std::span<const std::uint8_t> labels,
                 std::span<ImageSet* const> chosen) {
  std::vector<std::uint8_t> image(static_cast<std::size_t>(file.shape()[1] * file.shape()[2]));
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    file.read(image);
    if (chosen[i] != nullptr) append(*chosen[i], image, labels[i]);
  }
  file.expect_end();
}

void require_equal_counts(const IdxReader& images, std::size_t labels) {
  if (images.shape()[0] != static_cast<std::int64_t>(labels)) {
    images.fail("holds " + std::to_string(images.shape()[0]) + " images, but its label file " +
                std::to_string(labels) + " labels");
  }
}

std::int64_t count_training_images(const DataSettings& settings, std::int64_t available) {
  const std::int64_t left = available - settings.validation_samples;
  const std::int64_t wanted = settings.train_samples.value_or(std::max<std::int64_t>(left, 1));
  if (wanted > left) {
    error("trainer.config asks for " + std::to_string(settings.validation_samples) +
          " validation_samples and " + std::to_string(wanted) + " train_samples, but " +
          settings.directory + " has " + std::to_string(available) + " training images in all");
  }
  return wanted;
}

void load_train_and_validation(const DataSettings& settings, Dataset& data) {
  const std::filesystem::path folder = settings.directory;
  const auto labels = read_labels(folder / "train-labels-idx1-ubyte");
  IdxReader images(folder / "train-images-idx3-ubyte", 3);
  require_equal_counts(images, labels.size());
  data.height = images.shape()[1];
  data.width = images.shape()[2];
  data.classes = 1 + *std::max_element(labels.begin(), labels.end());

  const auto image_bytes = static_cast<std::size_t>(data.height * data.width);
  open_set(data.train, count_training_images(settings, images.shape()[0]), image_bytes);
  open_set(data.validation, settings.validation_samples, image_bytes);
  const auto order = permutation(labels.size(), derive_key(settings.split_seed, Purpose::split));
  std::vector<ImageSet*> chosen(labels.size(), nullptr);
  for (std::int64_t i = 0; i < data.validation.count + data.train.count; ++i) {
    const auto image = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
    chosen[image] = i < data.validation.count ? &data.validation : &data.train;
  }
  read_images(images, labels, chosen);
}

void load_test(const DataSettings& settings, Dataset& data) {
  const std::filesystem::path folder = settings.directory;
  const auto labels = read_labels(folder / "t10k-labels-idx1-ubyte");
  IdxReader images(folder / "t10k-images-idx3-ubyte", 3);
  require_equal_counts(images, labels.size());
  if (images.shape()[1] != data.height || images.shape()[2] != data.width) {
    images.fail("holds images of another size than the training set");
  }
  if (*std::max_element(labels.begin(), labels.end()) >= data.classes) {
    images.fail("has a class in its label file that the training set has not");
  }
  const std::int64_t available = images.shape()[0];
  const std::int64_t wanted = settings.test_samples.value_or(available);
  if (wanted > available) {
    error("trainer.config.test_samples is " + std::to_string(wanted) + ", but " +
          settings.directory + " has " + std::to_string(available) + " test images");
  }
  open_set(data.test, wanted, static_cast<std::size_t>(data.height * data.width));
  std::vector<ImageSet*> chosen(labels.size(), nullptr);
  std::fill_n(chosen.begin(), wanted, &data.test);
  read_images(images, labels, chosen);
}

void measure(Dataset& data) {
  std::array<std::uint64_t, 256> histogram{};
  for (const std::uint8_t pixel : data.train.pixels) ++histogram[pixel];
  const auto total = static_cast<double>(data.train.pixels.size());
  double sum = 0, squares = 0;
  for (std::size_t level = 0; level < histogram.size(); ++level) {
    const auto value = static_cast<double>(level);
    const auto count = static_cast<double>(histogram[level]);
    sum += count * value;
    squares += count * value * value;
  }
  data.mean = sum / total;
  data.stddev = std::sqrt(std::max(squares / total - data.mean * data.mean, 0.0));
  if (data.stddev == 0) error("all training pixels are the same; there is nothing to learn");

  const auto& labels = data.train.labels;
  const auto* label_bytes = reinterpret_cast<const Bytef*>(labels.data());
  uLong crc = crc32_z(0, label_bytes, labels.size() * sizeof labels[0]);
  crc = crc32_z(crc, data.train.pixels.data(), data.train.pixels.size());
  data.checksum = static_cast<std::uint32_t>(crc);
}

}  // namespace

Dataset load_dataset(const DataSettings& settings) {
  Dataset data;
  load_train_and_validation(settings, data);
  load_test(settings, data);
  measure(data);
  return data;
}

}  // namespace betatune::classifier
