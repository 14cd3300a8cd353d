#include <gtest/gtest.h>

#include "tests/support/test_functions.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

class StartUpOf : public testing::TestWithParam<const char*> {};

TEST_P(StartUpOf, BeginsInTheMiddleOfTheSpaceAndSpreadsFromThere) {
  HistoryBuilder study({real("rate", 1e-4, 1, Scale::log), integer("layers", 1, 9),
                        choice("kind", {Value(true), Value(false)})});
  const auto suggestions = study.searcher(GetParam())->suggest(study.history(), 3, root_key(1));
  ASSERT_EQ(suggestions.size(), 3u);
  EXPECT_EQ(suggestions[0].origin, "centre");
  EXPECT_NEAR(number(suggestions[0].configuration, "rate"), 1e-2, 1e-12);
  EXPECT_EQ(number(suggestions[0].configuration, "layers"), 5);
  EXPECT_EQ(suggestions[1].origin, "sobol");
}

TEST_P(StartUpOf, LeavesTheMiddleToUsersWhoBeginElsewhere) {
  HistoryBuilder study(unit_box(2));
  study.add_running({{"x0", Value(0.1)}, {"x1", Value(0.2)}});
  EXPECT_EQ(study.searcher(GetParam())->suggest(study.history(), 1, root_key(1)).at(0).origin,
            "sobol");
}

TEST_P(StartUpOf, SkipsAMiddleThatIsForbidden) {
  HistoryBuilder study(unit_box(2), {"x0 <= 0.4"});
  EXPECT_EQ(study.searcher(GetParam())->suggest(study.history(), 1, root_key(1)).at(0).origin,
            "sobol");
}

INSTANTIATE_TEST_SUITE_P(Searchers, StartUpOf, testing::Values("auto", "gp", "tpe"));

}  // namespace
}  // namespace betatune
