/// The optimizer goes away and comes back: the trainer works on meanwhile, and nothing that its
/// trial did is lost or told twice.

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>

#include "support/trainer_bench.hpp"
#include "tests/support/eventually.hpp"

namespace betatune::test {
namespace {

using support::eventually;
using ::testing::ElementsAreArray;

class AgentReconnect : public ::testing::Test {
 protected:
  AgentReconnect() { bench_.start(kTrainer); }

  /// Reports steps 1 to 20; step 6 and on once the file "on" is there, the last ones at "end".
  Assign twenty_steps() const {
    Assign made =
        bench_.script(0,
                      "step() { echo \"{\\\"step\\\": $1, \\\"loss\\\": $((100 - $1))}\"; }\n"
                      "for i in 1 2 3 4 5; do step $i; done\n"
                      "until [ -e on ]; do sleep 0.01; done\n"
                      "for i in 6 7 8 9 10; do step $i; done; echo yes > reported\n"
                      "until [ -e end ]; do sleep 0.01; done\n"
                      "for i in 11 12 13 14 15 16 17 18 19 20; do step $i; done\n");
    made.until = 20;
    return made;
  }
  void touch(const std::string& name) const { std::ofstream(bench_.folder.path() / name) << "yes"; }

  /// Ends this optimizer as a kill does, with what it knew: what was durable.
  void end_optimizer() {
    known_ = bench_.optimizer->all;
    bench_.optimizer.reset();
  }
  /// Starts the next one, of a later epoch.
  void start_optimizer() {
    bench_.optimizer = std::make_unique<FakeOptimizer>(bench_.endpoint);
    bench_.optimizer->terms.epoch = ++epoch_;
    bench_.optimizer->all = known_;
  }
  void wait_for_steps(std::size_t count) {
    ASSERT_TRUE(bench_.optimizer->serve_until([&] { return told().steps().size() >= count; }));
  }
  void expect_all_twenty_once() {
    std::vector<Step> steps(20);
    std::iota(steps.begin(), steps.end(), 1);
    EXPECT_THAT(told().steps(), ElementsAreArray(steps));
    EXPECT_EQ(told().done->end, AttemptEnd::reached) << told().done->message;
    EXPECT_EQ(told().done->final_seq, 20u);
    EXPECT_EQ(told().assigned, 1);
  }
  const Told& told() { return bench_.optimizer->told(0); }

  TrainerBench bench_;
  std::map<WorkKey, Told> known_;
  std::uint64_t epoch_ = 1;
};

TEST_F(AgentReconnect, AHeldTrialGoesOnWithNoLostStep) {
  bench_.optimizer->assign(twenty_steps());
  wait_for_steps(5);
  end_optimizer();
  touch("on");
  ASSERT_TRUE(eventually([&] { return !bench_.text("reported").empty(); }));

  start_optimizer();
  wait_for_steps(10);
  touch("end");
  ASSERT_TRUE(bench_.optimizer->serve_all());

  ASSERT_FALSE(bench_.optimizer->hellos.empty());
  const Hello& hello = bench_.optimizer->hellos.front();
  ASSERT_EQ(hello.held.size(), 1u);
  EXPECT_EQ(hello.held[0].trial, TrialId{0});
  EXPECT_GE(hello.held[0].last_seq, 5u);
  expect_all_twenty_once();
}

TEST_F(AgentReconnect, ReportsThatWereNotAcknowledgedAreToldAgain) {
  bench_.optimizer->acknowledges = false;
  bench_.optimizer->assign(twenty_steps());
  wait_for_steps(5);
  end_optimizer();
  // This optimizer was killed before it wrote any of them down.
  known_.at({TrialId{0}, AttemptId{1}}).reports.clear();
  touch("on");
  touch("end");

  start_optimizer();
  ASSERT_TRUE(bench_.optimizer->serve_all());

  expect_all_twenty_once();
}

TEST_F(AgentReconnect, ATrialThatEndedMeanwhileIsToldOfAtOnce) {
  bench_.optimizer->assign(twenty_steps());
  wait_for_steps(5);
  end_optimizer();
  touch("on");
  touch("end");
  ASSERT_TRUE(eventually([&] { return !bench_.alive("sh"); }));

  start_optimizer();
  ASSERT_TRUE(bench_.optimizer->serve_all());

  expect_all_twenty_once();
}

TEST_F(AgentReconnect, ManyRestartsLoseNothing) {
  bench_.optimizer->assign(twenty_steps());
  wait_for_steps(5);
  touch("on");
  for (int restart = 0; restart < 5; ++restart) {
    end_optimizer();
    start_optimizer();
    ASSERT_TRUE(bench_.optimizer->serve_until([&] { return !bench_.optimizer->hellos.empty(); }));
  }
  touch("end");
  ASSERT_TRUE(bench_.optimizer->serve_all());

  expect_all_twenty_once();
}

TEST_F(AgentReconnect, WorkThatTheOptimizerNoLongerWantsIsEndedAndItsSlotIsFree) {
  bench_.optimizer->assign(twenty_steps());
  wait_for_steps(5);
  end_optimizer();
  known_.clear();

  start_optimizer();
  ASSERT_TRUE(bench_.ends("sh"));
  Assign another = bench_.script(1, "echo '{\"loss\": 1}'");
  another.epoch = epoch_;
  const Done next = bench_.run(another);

  EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
  EXPECT_TRUE(told().reports.empty());
}

}  // namespace
}  // namespace betatune::test
