// Study files whose searcher or scheduler refuses its options, and what a user reads about them:
// tests/golden/optimizer/bad/NAME.yaml and NAME.txt. BETATUNE_UPDATE_GOLDEN=1 writes the .txt files
// anew.

#include <filesystem>
#include <gtest/gtest.h>

#include "optimizer/scheduler.hpp"
#include "tests/support/golden_texts.hpp"

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

class BadPolicies : public support::GoldenTexts {
 protected:
  BadPolicies() : GoldenTexts(kBadPolicies) {}
};

TEST_P(BadPolicies, AreExplained) {
  expect_golden(render_policies(GetParam() + ".yaml"));
}

INSTANTIATE_TEST_SUITE_P(Golden, BadPolicies, testing::ValuesIn(support::yaml_names(kBadPolicies)),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace betatune
