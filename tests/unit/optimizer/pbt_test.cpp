// Population-based training against what is worked out by hand: who is replaced, by a copy of whom,
// and what a schedule is worth.

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "optimizer/schedulers/exploration.hpp"
#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::SchedulerWorld;
using support::WorldShape;
using testing::HasSubstr;

StudySpec population_of(int members, double quantile, Step max) {
  return fidelity_spec(1, max, "pbt",
                       Json{{"population", members}, {"quantile", quantile}, {"interval", 1}});
}

/// Trial n has the loss n at every step.
WorldShape in_order(int trials, int slots = 1) {
  WorldShape shape;
  shape.trials = trials;
  shape.slots = slots;
  shape.loss = [](TrialId trial, Step) { return static_cast<double>(trial.n); };
  shape.configuration = [](TrialId) { return Configuration{{"x", 0.5}}; };
  return shape;
}

std::vector<Exploit> copies_in(const SchedulerWorld& world) {
  std::vector<Exploit> all;
  for (const auto& asked : world.asked()) {
    if (!asked.answer) continue;
    if (const auto* copy = std::get_if<Exploit>(&*asked.answer)) all.push_back(*copy);
  }
  return all;
}

TEST(Pbt, ReplacesTheWorstByACopyOfTheBest) {
  SchedulerWorld world(population_of(4, 0.25, 4), in_order(5));

  world.run();

  // One slot: all four come to step 1, then 0, 1 and 2 go on to step 2 before it is 3's turn.
  const std::vector<Exploit> copies = copies_in(world);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].parent, (Parent{TrialId{0}, 2, TrialId{3}}));
  EXPECT_EQ(copies[0].until, 3);
  const Json note{{"compared_at", 1}, {"results", 4}, {"parent", 1}, {"replaced", 4}};
  EXPECT_EQ(copies[0].note, note);
  const StudyState& state = world.state();
  EXPECT_EQ(state.trials[TrialId{3}].outcome, Outcome::stopped);
  EXPECT_EQ(state.trials[TrialId{3}].step, 1);
  EXPECT_EQ(state.trials[TrialId{3}].replaced_by, TrialId{4});
  EXPECT_EQ(state.trials[TrialId{4}].outcome, Outcome::completed);
}

TEST(Pbt, CopiesOneOfAsManyBestAsItReplacesWorst) {
  std::set<std::uint64_t> parents, replaced;
  WorldShape shape = in_order(200, 8);
  for (shape.seed = 1; shape.seed <= 20; ++shape.seed) {
    SchedulerWorld world(population_of(8, 0.25, 100), shape);
    world.run();
    for (const Exploit& each : copies_in(world)) {
      if (each.note.at("results") != 8) continue;
      parents.insert(each.note.at("parent").get<std::uint64_t>());
      replaced.insert(each.note.at("replaced").get<std::uint64_t>());
    }
  }

  EXPECT_THAT(parents, testing::ElementsAre(1, 2));
  EXPECT_THAT(replaced, testing::ElementsAre(7, 8));
}

TEST(Pbt, TakesTheOlderTrialForTheBetterAmongEquals) {
  WorldShape shape = in_order(5);
  shape.loss = [](TrialId, Step) { return 1.0; };
  SchedulerWorld world(population_of(4, 0.25, 4), shape);

  world.run();

  const std::vector<Exploit> copies = copies_in(world);
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].parent.trial, TrialId{0});
  EXPECT_EQ(copies[0].parent.replaces, TrialId{3});
}

TEST(Pbt, LetsEverybodyGoOnWhereTheBudgetHasNoMoreTrials) {
  SchedulerWorld world(population_of(4, 0.25, 4), in_order(4));

  world.run();

  EXPECT_TRUE(copies_in(world).empty());
  for (const Trial& each : world.state().trials) EXPECT_EQ(each.outcome, Outcome::completed);
}

TEST(Pbt, EndsWithAWholePopulationWhateverFails) {
  for (const int slots : {1, 3, 8}) {
    WorldShape shape = in_order(1000, slots);
    shape.failing = 0.05;
    shape.retries = 0;
    SchedulerWorld world(population_of(8, 0.25, 10), shape);

    world.run();

    std::size_t completed = 0, failed = 0;
    for (const Trial& each : world.state().trials) {
      if (each.outcome == Outcome::completed) ++completed;
      if (each.outcome == Outcome::failed) ++failed;
    }
    EXPECT_EQ(completed, 8u);
    EXPECT_GT(failed, 0u);
  }
}

const Trial* enqueued_in(const SchedulerWorld& world) {
  const Trial* found = nullptr;
  for (const Trial& each : world.state().trials) {
    if (each.origin == kEnqueuedOrigin) found = &each;
  }
  return found;
}

TEST(Pbt, GivesTheNextPlaceToWhatIsEnqueued) {
  WorldShape shape = in_order(5);
  shape.enqueued = {{4, {{"x", 0.77}}}};
  SchedulerWorld world(population_of(4, 0.25, 4), shape);

  world.run();

  const Trial* asked_for = enqueued_in(world);
  ASSERT_NE(asked_for, nullptr);
  EXPECT_EQ(*asked_for->configuration, (Configuration{{"x", 0.77}}));
  EXPECT_EQ(asked_for->parent, (Parent{TrialId{0}, 2, TrialId{3}}));
  EXPECT_EQ(asked_for->outcome, Outcome::completed);
  EXPECT_EQ(copies_in(world).size(), 1u);
  EXPECT_EQ(world.state().trials[TrialId{3}].outcome, Outcome::stopped);
}

/// `layers` shapes the model: no copy may change it.
StudySpec shaped_population() {
  StudySpec spec = population_of(4, 0.25, 4);
  auto space = SearchSpace::make({Parameter{"x", Real{0.01, 1, Scale::log, {}}, {}, {}},
                                  Parameter{"layers", Integer{1, 4, Scale::linear, 1}, {}, {}}});
  EXPECT_TRUE(space);
  spec.space = std::move(space).value();
  return spec;
}

TEST(Pbt, BeginsFromNothingWithWhatNobodysModelFits) {
  WorldShape shape = in_order(5);
  shape.configuration = [](TrialId) { return Configuration{{"x", 0.5}, {"layers", 2}}; };
  shape.enqueued = {{4, {{"x", 0.5}, {"layers", 3}}}};
  SchedulerWorld world(shaped_population(), shape);

  world.run();

  const Trial* asked_for = enqueued_in(world);
  ASSERT_NE(asked_for, nullptr);
  EXPECT_FALSE(asked_for->parent);
  EXPECT_EQ(asked_for->observations.front().step, 1);
  // In place of the worst, as a copy would be.
  EXPECT_EQ(world.state().trials[TrialId{3}].outcome, Outcome::stopped);
  EXPECT_EQ(world.state().trials[TrialId{3}].step, 1);
}

TEST(Pbt, CopiesForWhatIsEnqueuedOnlyWhomItFits) {
  for (const std::int64_t layers : {1, 2}) {
    WorldShape shape = in_order(9, 8);
    shape.configuration = [](TrialId trial) {
      return Configuration{{"x", 0.5}, {"layers", static_cast<std::int64_t>(trial.n % 2) + 1}};
    };
    shape.enqueued = {{8, {{"x", 0.77}, {"layers", layers}}}};
    StudySpec spec = shaped_population();
    spec.algorithm.scheduler.options = ConfigNode::from_json(
        Json{{"population", 8}, {"quantile", 0.5}, {"interval", 1}}, "study.yaml");
    SchedulerWorld world(spec, shape);

    world.run();

    const Trial* asked_for = enqueued_in(world);
    ASSERT_NE(asked_for, nullptr);
    ASSERT_TRUE(asked_for->parent);
    EXPECT_EQ(asked_for->parent->trial.n % 2, static_cast<std::uint64_t>(layers - 1));
  }
}

TEST(Pbt, GivesASlotThatNobodyNeedsToWhatIsEnqueued) {
  WorldShape shape = in_order(5, 5);
  shape.enqueued = {{4, {{"x", 0.77}}}};
  SchedulerWorld world(population_of(4, 0.25, 4), shape);

  world.run();

  ASSERT_NE(enqueued_in(world), nullptr);
  EXPECT_FALSE(enqueued_in(world)->parent);
  for (const Trial& each : world.state().trials) EXPECT_EQ(each.outcome, Outcome::completed);
}

TEST(Pbt, FillsThePlaceOfAFailedMemberByACopy) {
  WorldShape shape = in_order(1000, 8);
  shape.failing = 0.05;
  shape.retries = 0;
  SchedulerWorld world(population_of(8, 0.25, 10), shape);

  world.run();

  std::size_t in_place_of_failed = 0;
  for (const Exploit& each : copies_in(world)) {
    if (world.state().trials[*each.parent.replaces].outcome != Outcome::failed) continue;
    ++in_place_of_failed;
    EXPECT_NE(world.state().trials[each.parent.trial].outcome, Outcome::failed);
  }
  EXPECT_GT(in_place_of_failed, 0u);
}

/// Gradient descent on x²/2 with noise of variance 1 in the gradient, in expectation: the step with
/// learning rate r takes the mean square v to (1 - r)² v + r². A large rate is best first and a
/// small one later: the best schedule, r = v / (1 + v), ends with v = 1 / (1 + steps) from v = 1.
double after_step(double v, double rate) {
  return (1 - rate) * (1 - rate) * v + rate * rate;
}

TEST(Pbt, FindsAScheduleThatBeatsEveryFixedConfiguration) {
  constexpr Step kSteps = 30;
  double best_fixed = 1;
  for (double rate = 0.01; rate <= 1; rate += 0.001) {
    double v = 1;
    for (Step i = 0; i < kSteps; ++i) v = after_step(v, rate);
    best_fixed = std::min(best_fixed, v);
  }
  ASSERT_NEAR(best_fixed, 0.048, 0.001);

  const SchedulerWorld* running = nullptr;
  std::map<std::pair<TrialId, Step>, double> trained;
  WorldShape shape;
  shape.trials = 1000;
  shape.slots = 4;
  shape.configuration = [](TrialId trial) {
    return Configuration{{"x", 0.01 * std::pow(100, static_cast<double>(trial.n) / 7)}};
  };
  shape.loss = [&](TrialId id, Step step) {
    const Trial& trial = running->state().trials[id];
    const bool copied = trial.parent && trial.parent->step == step - 1;
    const TrialId before = copied ? trial.parent->trial : id;
    const double v = step == 1 ? 1 : trained.at({before, step - 1});
    return trained[{id, step}] = after_step(v, std::get<double>(trial.configuration->at("x")));
  };
  SchedulerWorld world(fidelity_spec(1, kSteps, "pbt", Json{{"interval", 3}}), shape);
  running = &world;

  world.run();

  double best = 1;
  for (const Trial& each : world.state().trials) {
    if (each.outcome == Outcome::completed) best = std::min(best, *each.loss);
  }

  EXPECT_LT(best, best_fixed);
  EXPECT_GE(best, 1.0 / (1 + kSteps));
}

TEST(Exploration, MultipliesByOneOfTwoFactors) {
  const StudySpec spec = fidelity_spec(1, 9, "pbt");
  const Exploration exploration(spec.space, {"x"}, 0);
  std::set<double> seen;
  for (std::uint64_t n = 0; n < 40; ++n) {
    const Configuration made = exploration.explore({{"x", 0.5}}, fold_in(root_key(1), n));
    seen.insert(std::get<double>(made.at("x")));
  }

  EXPECT_THAT(seen, testing::ElementsAre(0.5 * kPerturbDown, 0.5 * kPerturbUp));
}

TEST(Exploration, StaysInTheRange) {
  const StudySpec spec = fidelity_spec(1, 9, "pbt");
  const Exploration exploration(spec.space, {"x"}, 0);
  for (std::uint64_t n = 0; n < 40; ++n) {
    const Configuration made = exploration.explore({{"x", 0.95}}, fold_in(root_key(1), n));
    const double x = std::get<double>(made.at("x"));
    EXPECT_TRUE(x == 1.0 || x == 0.95 * kPerturbDown) << x;
  }
}

TEST(Exploration, DrawsAnewAsOftenAsAsked) {
  const StudySpec spec = fidelity_spec(1, 9, "pbt");
  const Exploration exploration(spec.space, {"x"}, 0.25);
  int anew = 0;
  for (std::uint64_t n = 0; n < 4000; ++n) {
    const Configuration made = exploration.explore({{"x", 0.5}}, fold_in(root_key(1), n));
    const double x = std::get<double>(made.at("x"));
    if (x != 0.5 * kPerturbDown && x != 0.5 * kPerturbUp) ++anew;
  }

  // Binomial, 1000 +- 27: five of these.
  EXPECT_NEAR(anew, 1000, 137);
}

std::string refusal(const Json& options, bool resumable = true) {
  StudySpec spec = fidelity_spec(1, 9, "pbt", options);
  spec.fidelity->resumable = resumable;
  Diagnostics diagnostics;
  EXPECT_EQ(make_scheduler(spec, diagnostics), nullptr);
  return diagnostics.render(false);
}

TEST(Pbt, RefusesWhatItCannotDo) {
  EXPECT_THAT(refusal({{"quantile", 0.6}}), HasSubstr("must be above 0, and at most 0.5"));
  EXPECT_THAT(refusal({{"population", 3}}), HasSubstr("4 at least"));
  EXPECT_THAT(refusal({{"resample", 1.5}}), HasSubstr("must be from 0 to 1"));
  EXPECT_THAT(refusal({{"interval", 9}}), HasSubstr("must be from 1 to 8"));
  EXPECT_THAT(refusal({{"mutate", {"y"}}}), HasSubstr("parameter `y` does not exist"));
  EXPECT_THAT(refusal({{"mutate", Json::array()}}), HasSubstr("no parameter"));
  EXPECT_THAT(refusal({{"interval", 1}}, false), HasSubstr("resumable: false"));
}

}  // namespace
}  // namespace betatune
