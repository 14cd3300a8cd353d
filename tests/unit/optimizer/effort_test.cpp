#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

std::unique_ptr<Searcher> with_effort(const HistoryBuilder& study, int effort,
                                      Diagnostics& problems) {
  return SearcherRegistry::find("gp")->make(
      PolicyContext{*study.history().spec},
      ConfigNode::from_json(Json{{"effort", effort}}, "made.yaml"), problems);
}

std::unique_ptr<Searcher> with_effort(const HistoryBuilder& study, int effort) {
  Diagnostics problems;
  return with_effort(study, effort, problems);
}

/// With enough results for models to be drawn.
HistoryBuilder studied() {
  HistoryBuilder study({real("x", 0, 1), real("y", 0, 1)});
  Stream stream(root_key(9));
  for (int i = 0; i < 30; ++i) {
    const double x = stream.uniform(), y = stream.uniform();
    const Configuration at{{"x", Value{x}}, {"y", Value{y}}};
    study.add_result(Suggestion{at, "test", nullptr}, (x - 0.3) * (x - 0.3) + x * y);
  }
  return study;
}

Configuration suggested(const HistoryBuilder& study, const Searcher& searcher) {
  return searcher.suggest(study.history(), 1, root_key(4)).at(0).configuration;
}

TEST(Effort, AveragesOverMoreModelsAndFollowsFromTheHistoryAlone) {
  HistoryBuilder study = studied();
  const auto warm = with_effort(study, 6);
  for (int i = 0; i < 3; ++i) {
    const Configuration one = suggested(study, *with_effort(study, 1));
    const Configuration six = suggested(study, *warm);
    EXPECT_NE(one, six);
    EXPECT_EQ(six, suggested(study, *with_effort(study, 6)));
    study.add_result(Suggestion{six, "gp", nullptr}, 0.1 * i);
  }
}

TEST(Effort, OutOfItsRangeIsAnErrorThatNamesIt) {
  const HistoryBuilder study = studied();
  for (const int effort : {0, -3, 65}) {
    Diagnostics problems;
    EXPECT_EQ(with_effort(study, effort, problems), nullptr);
    ASSERT_EQ(problems.problems().size(), 1u);
    EXPECT_EQ(problems.problems()[0].code, "E0408");
    EXPECT_THAT(problems.problems()[0].message, testing::HasSubstr("`algorithm.effort`"));
  }
  Diagnostics problems;
  EXPECT_NE(with_effort(study, 64, problems), nullptr);
}

}  // namespace
}  // namespace betatune
