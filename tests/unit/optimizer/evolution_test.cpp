#include <gtest/gtest.h>
#include <set>

#include "optimizer/evolution/mutation.hpp"
#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

SearchSpace mixed_space() {
  return HistoryBuilder({real("x", 0, 1), integer("i", 0, 1000), integer("j", 1, 2),
                         choice("kind", {Value{"a"}, Value{"b"}, Value{"c"}}),
                         when(real("y", 0, 1), "kind == a")})
      .space();
}

TEST(Mutation, IsAnotherConfigurationWithEveryColumnFilled) {
  const SearchSpace space = mixed_space();
  Stream stream(root_key(1));
  for (std::uint64_t i = 0; i < 500; ++i) {
    const Configuration parent = space.sample(fold_in(root_key(2), i));

    const Eigen::VectorXd child = mutate(space, space.encode(parent), stream);

    ASSERT_FALSE(child.hasNaN());
    ASSERT_GE(child.minCoeff(), 0);
    ASSERT_LE(child.maxCoeff(), 1);
    ASSERT_NE(space.decode(child), parent);
    ASSERT_TRUE(space.check(space.decode(child)));
  }
}

TEST(Mutation, ReachesEveryValueFromEveryOther) {
  const SearchSpace space =
      HistoryBuilder({choice("kind", {Value{"a"}, Value{"b"}, Value{"c"}}), integer("j", 1, 2)})
          .space();
  Stream stream(root_key(3));
  std::set<Configuration> reached;
  Eigen::VectorXd point = space.encode(space.sample(root_key(4)));
  for (int i = 0; i < 300; ++i) {
    point = mutate(space, point, stream);
    reached.insert(space.decode(point));
  }
  EXPECT_EQ(reached.size(), 6u);
}

TEST(Mutation, ASpaceOfSingleValuesStaysAsItIs) {
  const SearchSpace space = HistoryBuilder({integer("i", 3, 3)}).space();
  Stream stream(root_key(5));
  const Eigen::VectorXd point = space.encode(space.sample(root_key(6)));
  EXPECT_EQ(mutate(space, point, stream), point);
}

}  // namespace
}  // namespace betatune
