#include "optimizer/launchers/gpus.hpp"

#include <filesystem>
#include <gtest/gtest.h>

namespace betatune {
namespace {

using Names = std::vector<std::string>;

TEST(Gpus, HonoursAnInheritedMask) {
  EXPECT_EQ(visible_gpus("2,5", "/nowhere"), (Names{"2", "5"}));
  EXPECT_EQ(visible_gpus("GPU-1,MIG-2", "/nowhere"), (Names{"GPU-1", "MIG-2"}));
}

TEST(Gpus, AnEmptyMaskMeansNoneEvenWhereTheDriverShowsSome) {
  EXPECT_TRUE(visible_gpus("", "/proc").empty());
  EXPECT_EQ(visible_gpus("3,-1,4", "/nowhere"), Names{"3"});
}

TEST(Gpus, CountsWhatTheDriverShowsWithoutAMask) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "gpus_test_driver";
  std::filesystem::create_directories(folder / "0000:01:00.0");
  std::filesystem::create_directories(folder / "0000:02:00.0");

  EXPECT_EQ(visible_gpus(nullptr, folder.string()), (Names{"0", "1"}));
  EXPECT_TRUE(visible_gpus(nullptr, "/nowhere").empty());

  std::filesystem::remove_all(folder);
}

TEST(Gpus, SlicesAreDisjointWhileThereAreEnoughAndSharedAfterwards) {
  const Names gpus = {"0", "1", "2", "3"};

  EXPECT_EQ(gpu_slice(gpus, 0, 2), "0,1");
  EXPECT_EQ(gpu_slice(gpus, 1, 2), "2,3");
  EXPECT_EQ(gpu_slice(gpus, 4, 1), "0");
  EXPECT_EQ(gpu_slice({}, 0, 1), "");
}

}  // namespace
}  // namespace betatune
