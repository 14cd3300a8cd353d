// What was decided of a trial, as it was then, against what is worked out by hand.

#include "optimizer/decisions.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::SchedulerWorld;
using support::WorldShape;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Trial n has the loss n at every step; one slot.
WorldShape in_order(int trials) {
  WorldShape shape;
  shape.trials = trials;
  shape.loss = [](TrialId trial, Step) { return static_cast<double>(trial.n); };
  shape.configuration = [](TrialId) { return Configuration{{"x", 0.5}}; };
  return shape;
}

std::vector<Event> played(const StudySpec& spec, const WorldShape& shape) {
  SchedulerWorld world(spec, shape);
  world.run();
  return world.log();
}

TrialDecisions decisions_in(const std::vector<Event>& log, const StudySpec& spec,
                            std::uint64_t trial) {
  const auto store = make_memory_store();
  EXPECT_TRUE(store->begin_epoch());
  EXPECT_TRUE(store->append(0, log));
  auto read = read_decisions(*store, TrialId{trial}, [&](const Json&) {
    return Result<std::shared_ptr<const StudySpec>>(std::make_shared<const StudySpec>(spec));
  });
  EXPECT_TRUE(read) << (read ? "" : read.error().message);
  return read ? std::move(read).value() : TrialDecisions{};
}

/// "went_on at 1 to 3: 2 of 6, 2 go on, cut 1"
std::string text_of(const RungDecision& it) {
  std::string text = fmt::format("{} at {}", to_name(it.verdict), it.step);
  if (it.until) text += fmt::format(" to {}", *it.until);
  if (it.copy) text += fmt::format(" for {}", it.copy->n);
  if (!it.standing) return text;
  const RungPlace& at = it.standing->at;
  text += fmt::format(": {} of {}, {} go on", at.place, at.results, at.quota);
  if (at.cut) text += fmt::format(", cut {}", at.cut->merit);
  if (it.standing->bracket) text += fmt::format(", bracket {}", *it.standing->bracket);
  if (it.standing->awaited > 0) text += fmt::format(", {} to come", it.standing->awaited);
  return text;
}

std::vector<std::string> texts_of(const TrialDecisions& decisions) {
  std::vector<std::string> all;
  for (const RungDecision& each : decisions.made) all.push_back(text_of(each));
  if (decisions.waiting) all.push_back("now " + text_of(*decisions.waiting));
  return all;
}

std::vector<std::string> decided(const StudySpec& spec, const WorldShape& shape,
                                 std::uint64_t trial) {
  return texts_of(decisions_in(played(spec, shape), spec, trial));
}

TEST(Decisions, AreAsOfTheirMomentAndNotAsOfNow) {
  const StudySpec spec = fidelity_spec(1, 9, "asha");

  // Three trials at the first rung let 0 go on, six let 1, nine let 2.
  EXPECT_THAT(
      decided(spec, in_order(9), 0),
      ElementsAre("paused at 1: 1 of 1, 0 go on", "went_on at 1 to 3: 1 of 3, 1 go on, cut 0",
                  "paused at 3: 1 of 1, 0 go on", "went_on at 3 to 9: 1 of 3, 1 go on, cut 0",
                  "finished at 9: 1 of 1, 0 go on"));
  EXPECT_THAT(
      decided(spec, in_order(9), 1),
      ElementsAre("paused at 1: 2 of 2, 0 go on", "went_on at 1 to 3: 2 of 6, 2 go on, cut 1",
                  "paused at 3: 2 of 2, 0 go on", "now paused at 3: 2 of 3, 1 go on, cut 0"));
  EXPECT_THAT(decided(spec, in_order(9), 7),
              ElementsAre("paused at 1: 8 of 8, 2 go on, cut 1",
                          "now paused at 1: 8 of 9, 3 go on, cut 2"));
}

TEST(Decisions, SayThatNobodyGoesBeyondTheHighestRungSoFar) {
  const StudySpec spec = fidelity_spec(1, 27, "pasha");

  EXPECT_THAT(
      decided(spec, in_order(9), 0),
      ElementsAre("paused at 1: 1 of 1, 0 go on", "went_on at 1 to 3: 1 of 3, 1 go on, cut 0",
                  "paused at 3: 1 of 1, 0 go on", "went_on at 3 to 27: 1 of 3, 0 go on",
                  "finished at 27: 1 of 1, 0 go on"))
      << "to the end, because nobody else was";
}

TEST(Decisions, OfWhoIsClosedWhereItPausedSayWhereItStood) {
  const StudySpec spec = fidelity_spec(1, 9, "asha");
  std::vector<Event> log = played(spec, in_order(9));
  log.push_back(Event{log.size() + 1, 0, TrialClosed{TrialId{8}, Outcome::stopped, 8.0}});

  EXPECT_THAT(
      texts_of(decisions_in(log, spec, 8)),
      ElementsAre("paused at 1: 9 of 9, 3 go on, cut 2", "not_taken at 1: 9 of 9, 3 go on, cut 2"));
}

TEST(Decisions, InPassingAreStopsAndTheOthers) {
  const StudySpec spec = fidelity_spec(1, 9, "asha", Json{{"mode", "stop"}});

  EXPECT_THAT(decided(spec, in_order(9), 1),
              ElementsAre("passed at 1: 2 of 2, 0 go on", "passed at 3: 2 of 2, 0 go on",
                          "finished at 9: 2 of 2, 0 go on"));
  const TrialDecisions stopped = decisions_in(played(spec, in_order(9)), spec, 2);
  EXPECT_THAT(texts_of(stopped), ElementsAre("stopped at 1: 3 of 3, 1 go on, cut 0"));
  EXPECT_THAT(stopped.made[0].reason, HasSubstr("not among the best 1/3 of 3 trials"));
}

TEST(Decisions, InBracketsAreAmongTheBracketsTrials) {
  const StudySpec spec = fidelity_spec(1, 9, "successive-halving", Json{{"trials", 3}});

  EXPECT_THAT(decided(spec, in_order(6), 3),
              ElementsAre("paused at 1: 1 of 1, 1 go on, cut 3, bracket 1, 2 to come",
                          "went_on at 1 to 3: 1 of 3, 1 go on, cut 3, bracket 1",
                          "paused at 3: 1 of 1, 1 go on, cut 3, bracket 1",
                          "went_on at 3 to 9: 1 of 1, 1 go on, cut 3, bracket 1", "finished at 9"))
      << "the bracket ends with its last trial";
}

TEST(Decisions, OfAPopulationSayWhoIsReplacedByWhom) {
  const StudySpec spec =
      fidelity_spec(1, 4, "pbt", Json{{"population", 4}, {"quantile", 0.25}, {"interval", 1}});

  EXPECT_THAT(decided(spec, in_order(5), 3),
              ElementsAre("paused at 1: 4 of 4, 3 go on, cut 2",
                          "replaced at 1 for 4: 4 of 4, 3 go on, cut 2"));
}

TEST(Decisions, OfTheMedianRuleHaveItsNumbers) {
  const StudySpec spec = fidelity_spec(1, 9, "median-stopping");

  const TrialDecisions stopped = decisions_in(played(spec, in_order(7)), spec, 6);

  EXPECT_THAT(texts_of(stopped), ElementsAre("stopped at 1"));
  const auto* basis = std::get_if<MedianBasis>(&stopped.made[0].basis);
  ASSERT_NE(basis, nullptr);
  EXPECT_EQ(basis->best, 6);
  EXPECT_EQ(basis->median, 2.5) << "of 0 to 5, of which 5 was stopped";
  EXPECT_EQ(basis->trials, 6u);
}

TEST(Decisions, AreNoneWhereNobodyIsCompared) {
  const StudySpec spec = fidelity_spec(1, 9, "fifo");

  EXPECT_THAT(decided(spec, in_order(3), 1), IsEmpty());
}

TEST(Decisions, OfAModelHaveWhatItExpected) {
  const StudySpec spec = fidelity_spec(1, 27, "freeze-thaw");
  WorldShape shape;
  shape.trials = 30;
  shape.configuration = [](TrialId trial) {
    return Configuration{{"x", 0.01 + 0.03 * static_cast<double>(trial.n)}};
  };
  shape.loss = [](TrialId trial, Step step) {
    const double x = 0.03 * static_cast<double>(trial.n);
    return std::abs(x - 0.4) + 1 / static_cast<double>(step);
  };
  const std::vector<Event> log = played(spec, shape);
  Sequence last_new = 0;
  for (const Event& each : log) {
    if (std::holds_alternative<TrialCreated>(each.fact)) last_new = each.seq;
  }

  int by_model = 0, rivals = 0;
  for (std::uint64_t trial = 0; trial < 30; ++trial) {
    for (const RungDecision& each : decisions_in(log, spec, trial).made) {
      const auto* basis = std::get_if<ModelBasis>(&each.basis);
      if (basis == nullptr || each.verdict != RungVerdict::went_on) continue;
      ++by_model;
      EXPECT_LT(basis->loss_low, basis->loss);
      EXPECT_GT(basis->loss_high, basis->loss);
      EXPECT_FALSE(basis->seconds) << "steps are all the same here";
      if (each.seq > last_new) continue;  // no new trial competed any more
      EXPECT_GT(basis->log_worth, basis->log_worth_new);
      if (!basis->rival) continue;
      ++rivals;
      EXPECT_NE(basis->rival->trial, TrialId{trial});
      EXPECT_LE(basis->rival->log_worth, basis->log_worth);
    }
  }
  EXPECT_GT(by_model, 0);
  EXPECT_GT(rivals, 0);
}

class DecisionsOf : public testing::TestWithParam<std::string> {};

/// Whoever goes on is among those that may, but for one that is trained to the end so that there is
/// one at all.
TEST_P(DecisionsOf, ThoseWhoGoOnAreThatTheyWereAmongTheBest) {
  const StudySpec spec = fidelity_spec(1, 27, GetParam());
  WorldShape shape;
  shape.trials = 40;
  shape.slots = 4;
  shape.failing = 0.03;
  const std::vector<Event> log = played(spec, shape);
  const auto store = make_memory_store();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->append(0, log));
  DecisionTrace trace(*store, {}, [&](const Json&) {
    return Result<std::shared_ptr<const StudySpec>>(std::make_shared<const StudySpec>(spec));
  });

  int went_on = 0, beyond = 0;
  for (const Event& event : log) {
    const auto decision = trace.take(event);
    ASSERT_TRUE(decision) << decision.error().message;
    if (!decision.value() || decision.value()->verdict != RungVerdict::went_on) continue;
    ASSERT_TRUE(decision.value()->standing);
    const RungPlace& at = decision.value()->standing->at;
    EXPECT_LE(at.quota, at.results);
    ++(at.place <= at.quota ? went_on : beyond);
  }

  EXPECT_GT(went_on, 5);
  EXPECT_LE(beyond, 1);
}

INSTANTIATE_TEST_SUITE_P(Schedulers, DecisionsOf,
                         testing::Values("asha", "pasha", "successive-halving", "hyperband",
                                         "hyper-tune"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(DecisionTrace, LooksOnlyAtTheEventsThatItIsAskedFor) {
  const StudySpec spec = fidelity_spec(1, 9, "asha");
  const std::vector<Event> log = played(spec, in_order(9));
  const auto store = make_memory_store();
  const Sequence after = log.size() / 2;
  DecisionTrace trace(*store, {.after = after}, [&](const Json&) {
    return Result<std::shared_ptr<const StudySpec>>(std::make_shared<const StudySpec>(spec));
  });

  std::vector<Sequence> found;
  for (const Event& event : log) {
    const auto decision = trace.take(event);
    ASSERT_TRUE(decision);
    if (decision.value()) found.push_back(decision.value()->seq);
  }

  ASSERT_FALSE(found.empty());
  EXPECT_GT(*std::ranges::min_element(found), after);
}

}  // namespace
}  // namespace betatune
