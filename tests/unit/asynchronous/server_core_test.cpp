#include "trainers/torch/distributed/asynchronous/server_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/failure_text.hpp"
#include "trainers/torch/distributed/asynchronous/registry.hpp"

namespace betatune::distributed::asynchronous {
namespace {

using support::failure_text;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A server of two layers, and what it answered, in order.
class CoreTest : public ::testing::Test {
 protected:
  void start(const std::string& json, int workers) {
    configured_ = read_strategy(json, workers);
    core_ = std::make_unique<ServerCore>(*configured_.strategy, Layers{{0}, {0, 0}}, workers,
                                         configured_.staleness_bound);
    sequences_.assign(static_cast<std::size_t>(workers), 0);
  }
  /// Worker's next push, of ones, computed from version `base`.
  void push(int worker, std::uint64_t base) {
    push_numbered(worker, ++sequences_[static_cast<std::size_t>(worker)], base);
  }
  void push_numbered(int worker, std::uint64_t sequence, std::uint64_t base) {
    static const Layers kOnes{{1}, {1, 1}};
    const Push push{worker, sequence, {base, base}, {kOnes[0], kOnes[1]}};
    core_->check(push);
    core_->push(push, [this, worker](const Answer& answer) {
      answered_.push_back(worker);
      last_centre_ = answer.centre[0][0];
      last_accepted_ = answer.accepted;
    });
  }
  std::vector<int> take_answered() { return std::exchange(answered_, {}); }

  Configured configured_;
  std::unique_ptr<ServerCore> core_;
  std::vector<std::uint64_t> sequences_;
  std::vector<int> answered_;
  float last_centre_ = 0;
  bool last_accepted_ = false;
};

TEST_F(CoreTest, CountsVersionsAndMeasuresStaleness) {
  start(R"({"strategy": "downpour", "lr": 1})", 3);
  push(0, 0);
  push(1, 0);
  push(2, 0);
  EXPECT_THAT(core_->versions(), ElementsAre(3u, 3u));
  EXPECT_EQ(core_->staleness().mean(), 1);  // 0, 1 and 2
  EXPECT_EQ(core_->staleness().max(), 2u);
  EXPECT_THAT(take_answered(), ElementsAre(0, 1, 2));
}

TEST_F(CoreTest, AppliesAPushThatComesAgainOnce) {
  start(R"({"strategy": "downpour", "lr": 1})", 2);
  push(0, 0);
  push_numbered(0, 1, 0);
  EXPECT_EQ(core_->centre()[0][0], -1);
  EXPECT_EQ(last_centre_, -1);
  EXPECT_THAT(take_answered(), ElementsAre(0, 0)) << "and answers it again";
}

TEST_F(CoreTest, RefusesWhatDoesNotFitAndNamesTheRank) {
  start(R"({"strategy": "downpour"})", 2);
  const Layers wrong{{1}, {1}};
  const auto refused = [&](const Push& push) { return failure_text([&] { core_->check(push); }); };
  EXPECT_THAT(refused({7, 1, {0, 0}, {wrong[0], wrong[1]}}),
              HasSubstr("rank 7 is not one of the 2"));
  EXPECT_THAT(refused({1, 1, {0, 0}, {wrong[0], wrong[1]}}),
              HasSubstr("rank 1 pushes 1 elements of layer 1, which has 2"));
  EXPECT_THAT(refused({1, 1, {0}, {wrong[0]}}), HasSubstr("pushes 1 layers; this server has 2"));
  const Layers right{{1}, {1, 1}};
  EXPECT_THAT(refused({1, 2, {0, 0}, {right[0], right[1]}}), HasSubstr("one in between is lost"));
  EXPECT_THAT(refused({1, 1, {0, 5}, {right[0], right[1]}}), HasSubstr("version 5 of layer 1"));
}

TEST_F(CoreTest, AnswersAllOfARoundWhenItIsComplete) {
  start(R"({"strategy": "synchronous", "lr": 1})", 3);
  push(2, 0);
  push(0, 0);
  EXPECT_THAT(take_answered(), ElementsAre());
  push(1, 0);
  EXPECT_THAT(take_answered(), ElementsAre(2, 0, 1)) << "in the order of arrival";
  EXPECT_EQ(last_centre_, -1);
}

TEST_F(CoreTest, TellsAWorkerThatCameTooLateForItsRound) {
  start(R"({"strategy": "synchronous", "lr": 1})", 3);
  core_->leave(2);
  push(0, 0);
  push(1, 0);
  take_answered();
  push(2, 0);  // back again, with a gradient from before
  EXPECT_THAT(take_answered(), ElementsAre(2));
  EXPECT_FALSE(last_accepted_);
  EXPECT_EQ(core_->rejected(), 2u);  // in both layers
}

TEST_F(CoreTest, LeavingCompletesTheRoundOfTheOthers) {
  start(R"({"strategy": "synchronous", "lr": 1})", 3);
  push(0, 0);
  push(1, 0);
  core_->leave(2);
  EXPECT_THAT(take_answered(), ElementsAre(0, 1));
}

TEST_F(CoreTest, HoldsBackAWorkerThatIsAheadByMoreThanTheBound) {
  start(R"({"strategy": "downpour", "lr": 1, "staleness_bound": 1})", 2);
  push(0, 0);
  EXPECT_THAT(take_answered(), ElementsAre(0));
  push(0, 1);
  EXPECT_THAT(take_answered(), ElementsAre()) << "two exchanges ahead";
  push(1, 0);
  EXPECT_THAT(take_answered(), ElementsAre(0, 1));
}

TEST_F(CoreTest, DoesNotWaitForAWorkerThatHasLeftAndLetsItBackInAtTheSlowest) {
  start(R"({"strategy": "downpour", "lr": 1, "staleness_bound": 0})", 2);
  core_->leave(1);
  for (int i = 0; i < 5; ++i) push(0, static_cast<std::uint64_t>(i));
  EXPECT_EQ(take_answered().size(), 5u);
  push(1, 5);
  EXPECT_THAT(take_answered(), ElementsAre()) << "its clock is 6 now, the other's 5";
  push(0, 6);
  EXPECT_THAT(take_answered(), ElementsAre(1, 0));
}

TEST_F(CoreTest, AnswersElasticPushesWithTheCentreBeforeThem) {
  start(R"({"strategy": "easgd", "elastic_force": 1})", 2);  // alpha .5
  push(0, 0);
  EXPECT_EQ(last_centre_, 0);
  EXPECT_EQ(core_->centre()[0][0], 0.5f);
}

TEST_F(CoreTest, ReadsAreAnsweredWhileARoundIsOpen) {
  start(R"({"strategy": "synchronous", "lr": 1})", 2);
  push(0, 0);
  bool read = false;
  core_->pull([&](const Answer& answer) { read = answer.centre.size() == 2; });
  EXPECT_TRUE(read);
}

/// Parameter: a strategy.
class RestoreTest : public CoreTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(RestoreTest, GoesOnBitForBitFromWhatWasSaved) {
  const std::string json = R"({"strategy": ")" + std::string(GetParam()) + "\"}";
  start(json, 3);
  push(0, 0);
  push(1, 0);
  push(2, 0);
  push(1, core_->versions()[0]);
  Bytes saved;
  Writer writer(saved);
  core_->save(writer);
  ServerCore other(*configured_.strategy, Layers{{0}, {0, 0}}, 3);
  Reader reader(saved);
  other.load(reader);
  EXPECT_EQ(reader.left(), 0u);
  const Layers values{{0.3f}, {0.7f, -0.1f}};
  for (const int worker : {0, 2}) {
    const Push push{worker, 2, {1, 1}, {values[0], values[1]}};
    core_->push(push, [](const Answer&) {});
    other.push(push, [](const Answer&) {});
  }
  EXPECT_EQ(core_->centre(), other.centre());
  EXPECT_EQ(core_->versions(), other.versions());
  EXPECT_EQ(core_->staleness().counts(), other.staleness().counts());
  EXPECT_NE(core_->centre()[1][0], 0);
}

INSTANTIATE_TEST_SUITE_P(Rules, RestoreTest,
                         ::testing::Values("downpour", "dynsgd", "softsync", "easgd", "agn", "gem",
                                           "synchronous", "hybrid"));

TEST_F(CoreTest, ARepeatedPushOfAnOpenRoundIsAnsweredWithTheRound) {
  start(R"({"strategy": "synchronous", "lr": 1})", 2);
  push(0, 0);
  core_->forget_answer(0);
  push_numbered(0, 1, 0);
  EXPECT_THAT(take_answered(), ElementsAre());
  push(1, 0);
  EXPECT_THAT(take_answered(), ElementsAre(0, 1)) << "once, not twice";
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
