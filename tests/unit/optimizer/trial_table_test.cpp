#include <gtest/gtest.h>
#include <iterator>

#include "optimizer/study_state.hpp"

namespace betatune {
namespace {

/// With the trials 0, 1, ...
TrialTable table_of(std::uint64_t trials) {
  TrialTable table;
  for (std::uint64_t n = 0; n < trials; ++n) {
    Trial trial;
    trial.id = TrialId{n};
    table.add(std::move(trial));
  }
  return table;
}

TEST(TrialTable, SharesChunksWithASnapshotUntilATrialChanges) {
  TrialTable table = table_of(200);
  const TrialTable snapshot = table;
  EXPECT_EQ(&snapshot[TrialId{0}], &table[TrialId{0}]);

  table.edit(TrialId{70}).until = 5;
  Trial added;
  added.id = TrialId{200};
  table.add(std::move(added));

  EXPECT_EQ(snapshot.size(), 200u);
  EXPECT_EQ(snapshot[TrialId{70}].until, 0);
  EXPECT_EQ(table[TrialId{70}].until, 5);
  EXPECT_EQ(&snapshot[TrialId{0}], &table[TrialId{0}]);
  EXPECT_NE(&snapshot[TrialId{70}], &table[TrialId{70}]);
  EXPECT_EQ(static_cast<std::size_t>(std::distance(table.begin(), table.end())), 201u);
}

TEST(TrialTable, CutsAPrefixThatGrowsApart) {
  TrialTable table = table_of(130);

  TrialTable prefix = table.prefix(100);
  Trial other;
  other.id = TrialId{100};
  other.until = 7;
  prefix.add(std::move(other));

  EXPECT_EQ(prefix.size(), 101u);
  EXPECT_EQ(prefix[TrialId{100}].until, 7);
  EXPECT_EQ(table[TrialId{100}].until, 0);
  EXPECT_EQ(table.prefix(0).size(), 0u);
}

}  // namespace
}  // namespace betatune
