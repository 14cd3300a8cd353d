#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::ElementsAre;

TEST(BraninPlugin, ReportsTheFunctionsValue) {
  TrainerBench bench;
  bench.start(kTrainer);

  Assign assign = bench.assign(0, "branin");
  assign.params = {{"x", 3.14159265358979}, {"y", 2.275}};  // one of its three minima
  bench.optimizer->assign(assign);
  ASSERT_TRUE(bench.optimizer->serve_all());

  const Told& told = bench.optimizer->told(0);
  EXPECT_EQ(told.done->end, AttemptEnd::reached) << told.done->message;
  EXPECT_NEAR(told.last("loss"), 0.397887, 1e-6);
  EXPECT_THAT(told.steps(), ElementsAre(1));
  ASSERT_TRUE(told.checkpoint().has_value());
  EXPECT_TRUE(std::filesystem::exists(bench.folder.path() / told.checkpoint()->uri / "state"));
}

}  // namespace
}  // namespace betatune::test
