#pragma once
/// What a user reads about files with mistakes: NAME.yaml and NAME.txt side by side.
/// BETATUNE_UPDATE_GOLDEN=1 writes the .txt files anew.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/support/file_text.hpp"

namespace betatune::support {

/// Of all NAME.yaml, ascending.
inline std::vector<std::string> yaml_names(const std::filesystem::path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem().string());
  }
  std::ranges::sort(out);
  return out;
}

/// A test of each name, in the folder itself: messages show paths as the user gave them.
class GoldenTexts : public testing::TestWithParam<std::string> {
 protected:
  explicit GoldenTexts(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void SetUp() override {
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_);
  }
  void TearDown() override { std::filesystem::current_path(before_); }

  void expect_golden(const std::string& shown) const {
    const std::filesystem::path expected = folder_ / (GetParam() + ".txt");
    if (std::getenv("BETATUNE_UPDATE_GOLDEN") != nullptr) std::ofstream(expected) << shown;
    EXPECT_NE(shown, "");
    EXPECT_EQ(shown, file_text(expected));
  }

 private:
  std::filesystem::path folder_, before_;
};

}  // namespace betatune::support
