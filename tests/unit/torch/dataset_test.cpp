#include "trainers/torch/dataset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "tests/support/failure_text.hpp"
#include "tests/support/idx_files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune::classifier {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace support;

class DatasetTest : public ::testing::Test {
 protected:
  DatasetTest() {
    write_data_set(folder_.path(), 160, 40);
    settings_.directory = folder_.path();
    settings_.validation_samples = 30;
  }
  std::string problem() {
    return failure_text([&] { load_dataset(settings_); });
  }

  TemporaryDirectory folder_;
  DataSettings settings_;
};

using Picture = std::vector<std::uint8_t>;

std::multiset<Picture> pictures(const ImageSet& set, std::int64_t bytes) {
  std::multiset<Picture> all;
  for (auto at = set.pixels.begin(); at != set.pixels.end(); at += bytes) {
    all.emplace(at, at + bytes);
  }
  return all;
}

TEST_F(DatasetTest, TakesValidationImagesOutOfTheTrainingFile) {
  const Dataset data = load_dataset(settings_);

  EXPECT_EQ(data.height, 8);
  EXPECT_EQ(data.width, 8);
  EXPECT_EQ(data.classes, 4);
  EXPECT_EQ(data.train.count, 130);
  EXPECT_EQ(data.validation.count, 30);
  EXPECT_EQ(data.test.count, 40);
  EXPECT_EQ(data.train.labels.size(), 130u);
  EXPECT_EQ(data.train.pixels.size(), 130u * 64u);
  const auto train = pictures(data.train, 64);
  for (const auto& picture : pictures(data.validation, 64)) EXPECT_EQ(train.count(picture), 0u);
}

TEST_F(DatasetTest, KeepsPicturesAndLabelsTogether) {
  const Dataset data = load_dataset(settings_);

  for (std::size_t i = 0; i < data.train.labels.size(); ++i) {
    // The band of class c (two rows of eight pixels) is brighter than any other.
    std::array<int, 4> light{};
    for (std::size_t k = 0; k < 64; ++k) light[k / 16] += data.train.pixels[i * 64 + k];
    const auto brightest = std::max_element(light.begin(), light.end()) - light.begin();
    EXPECT_EQ(brightest, data.train.labels[i]);
  }
}

TEST_F(DatasetTest, KeepsTheValidationSetWhenTheTrainingSetShrinks) {
  const Dataset large = load_dataset(settings_);
  settings_.train_samples = 20;
  const Dataset small = load_dataset(settings_);

  EXPECT_EQ(small.train.count, 20);
  EXPECT_EQ(small.validation.pixels, large.validation.pixels);
  EXPECT_NE(small.checksum, large.checksum);
}

TEST_F(DatasetTest, SplitsByItsOwnSeed) {
  const Dataset first = load_dataset(settings_);
  const Dataset again = load_dataset(settings_);
  settings_.split_seed = 1;
  const Dataset other = load_dataset(settings_);

  EXPECT_EQ(first.checksum, again.checksum);
  EXPECT_EQ(first.validation.pixels, again.validation.pixels);
  EXPECT_NE(first.validation.pixels, other.validation.pixels);
  EXPECT_EQ(first.test.pixels, other.test.pixels);
}

TEST_F(DatasetTest, MeasuresTheTrainingPixels) {
  const Dataset data = load_dataset(settings_);

  double sum = 0, squares = 0;
  for (const double pixel : data.train.pixels) sum += pixel;
  const double mean = sum / static_cast<double>(data.train.pixels.size());
  for (const double pixel : data.train.pixels) squares += (pixel - mean) * (pixel - mean);
  EXPECT_NEAR(data.mean, mean, 1e-9);
  EXPECT_NEAR(data.stddev, std::sqrt(squares / static_cast<double>(data.train.pixels.size())),
              1e-9);
}

TEST_F(DatasetTest, RefusesMoreImagesThanThereAre) {
  settings_.train_samples = 131;
  EXPECT_THAT(problem(), AllOf(HasSubstr("30 validation_samples"), HasSubstr("131 train_samples"),
                               HasSubstr("160 training images")));
  settings_.train_samples.reset();
  settings_.validation_samples = 160;
  EXPECT_THAT(problem(), HasSubstr("160 validation_samples"));
  settings_.validation_samples = 30;
  settings_.test_samples = 41;
  EXPECT_THAT(problem(), AllOf(HasSubstr("test_samples is 41"), HasSubstr("40 test images")));
}

TEST_F(DatasetTest, RefusesFilesThatDoNotFitTogether) {
  write_gzip(folder_.path() / "train-labels-idx1-ubyte.gz", idx_bytes({2}, {0, 1}));
  EXPECT_THAT(problem(), AllOf(HasSubstr("160 images"), HasSubstr("2 labels")));

  write_pictures(folder_.path(), "train", {160});
  write_pictures(folder_.path(), "t10k", {40, 12});
  EXPECT_THAT(problem(), HasSubstr("another size than the training set"));

  write_pictures(folder_.path(), "t10k", {40, 8, 5});
  EXPECT_THAT(problem(), HasSubstr("class in its label file"));
}

TEST_F(DatasetTest, RefusesImagesThatAreAllTheSame) {
  write_gzip(folder_.path() / "train-images-idx3-ubyte.gz",
             idx_bytes({160, 8, 8}, Bytes(160 * 64, 7)));
  EXPECT_THAT(problem(), HasSubstr("nothing to learn"));
}

}  // namespace
}  // namespace betatune::classifier
