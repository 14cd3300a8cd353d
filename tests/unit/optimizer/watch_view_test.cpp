#include "optimizer/cli/watch_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace betatune {
namespace {

using testing::ElementsAre;

TEST(LinesThatFit, AreAllOfThemWhereThereIsRoom) {
  EXPECT_THAT(lines_that_fit("one\ntwo\n", {80, 24}), ElementsAre("one", "two"));
  EXPECT_THAT(lines_that_fit("one\n\nthree", {80, 24}), ElementsAre("one", "", "three"));
}

TEST(LinesThatFit, AreCutToTheColumns) {
  EXPECT_THAT(lines_that_fit("abcdef\nab\n", {4, 24}), ElementsAre("abcd", "ab"));
  EXPECT_THAT(lines_that_fit("\u00b5\u00b5\u00b5\u00b5\n", {2, 24}), ElementsAre("\u00b5\u00b5"))
      << "between characters";
}

TEST(LinesThatFit, LeaveARowForTheCursor) {
  const std::vector<std::string> lines = lines_that_fit("1\n2\n3\n4\n", {80, 4});

  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], "2");
  EXPECT_THAT(lines[2], testing::StartsWith("..."));
  EXPECT_THAT(lines_that_fit("1\n2\n3\n", {80, 4}), ElementsAre("1", "2", "3"));
  EXPECT_EQ(lines_that_fit("1\n2\n", {80, 1}).size(), 1u);
}

}  // namespace
}  // namespace betatune
