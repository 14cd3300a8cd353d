// Study files whose searcher or scheduler refuses its options, and what a user reads about them:
// tests/golden/optimizer/bad/NAME.yaml and NAME.txt. BETATUNE_UPDATE_GOLDEN=1 writes the .txt files
// anew.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "optimizer/scheduler.hpp"
#include "tests/support/file_text.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

const fs::path kBadPolicies = fs::path(BETATUNE_SOURCE_DIR) / "tests/golden/optimizer/bad";

/// As `betatune check` does.
std::string render_policies(const fs::path& path) {
  Diagnostics diagnostics;
  const StudySpec spec = load_study(path, diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << "not the policies': " << diagnostics.render(false);
  make_searcher(spec, diagnostics);
  make_scheduler(spec, diagnostics);
  return diagnostics.render(false);
}

std::vector<std::string> bad_policy_names() {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(kBadPolicies)) {
    if (entry.path().extension() == ".yaml") out.push_back(entry.path().stem().string());
  }
  std::ranges::sort(out);
  return out;
}

class BadPolicies : public testing::TestWithParam<std::string> {
 protected:
  // Messages show paths as the user gave them.
  void SetUp() override {
    before_ = fs::current_path();
    fs::current_path(kBadPolicies);
  }
  void TearDown() override { fs::current_path(before_); }

 private:
  fs::path before_;
};

TEST_P(BadPolicies, AreExplained) {
  const std::string shown = render_policies(GetParam() + ".yaml");

  const fs::path expected = kBadPolicies / (GetParam() + ".txt");
  if (std::getenv("BETATUNE_UPDATE_GOLDEN") != nullptr) std::ofstream(expected) << shown;
  EXPECT_NE(shown, "");
  EXPECT_EQ(shown, support::file_text(expected));
}

INSTANTIATE_TEST_SUITE_P(Golden, BadPolicies, testing::ValuesIn(bad_policy_names()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace betatune
