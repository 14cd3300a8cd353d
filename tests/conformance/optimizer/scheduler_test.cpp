// What every registered scheduler keeps, whatever trials do: a new one is tested here as soon as it
// exists.

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::scheduler_of;
using support::SchedulerWorld;
using support::with_cost;
using support::WorldShape;

struct Case {
  std::string name;
  bool with_cost = false;  ///< a second objective
};

bool takes_two_objectives(const std::string& name) {
  Diagnostics diagnostics;
  return make_scheduler(with_cost(fidelity_spec(1, 27, name)), diagnostics) != nullptr;
}

/// Every scheduler, and again with two objectives if it takes them.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& [name, summary] : SchedulerRegistry::list()) {
    all.push_back({name, false});
    if (takes_two_objectives(name)) all.push_back({name, true});
  }
  return all;
}

class SchedulerSuite : public testing::TestWithParam<Case> {
 protected:
  StudySpec spec(const Json& options = nullptr) const {
    const StudySpec study = fidelity_spec(1, 27, GetParam().name, options);
    return GetParam().with_cost ? with_cost(study) : study;
  }
};

/// Shapes that between them meet every corner: no failure, many, all; fewer trials than slots.
std::vector<WorldShape> shapes() {
  std::vector<WorldShape> all;
  for (const int trials : {1, 2, 7, 60}) {
    for (const int slots : {1, 5}) {
      for (const double failing : {0.0, 0.1, 1.0}) {
        WorldShape shape;
        shape.trials = trials;
        shape.slots = slots;
        shape.failing = failing;
        shape.seed = static_cast<std::uint64_t>(trials * 10 + slots);
        all.push_back(shape);
      }
    }
  }
  return all;
}

std::string text_of(const std::optional<Assignment>& answer) {
  if (!answer) return "nothing";
  if (const auto* resume = std::get_if<Resume>(&*answer)) {
    return "resume " + std::to_string(resume->trial.n) + " to " + std::to_string(resume->until);
  }
  if (const auto* exploit = std::get_if<Exploit>(&*answer)) {
    return json_text(encode_json(exploit->parent)) + json_text(to_json(exploit->configuration)) +
           " to " + std::to_string(exploit->until);
  }
  return "start to " + std::to_string(std::get<StartNew>(*answer).until);
}

TEST_P(SchedulerSuite, EndsWithExactlyTheTrialsAskedFor) {
  for (const WorldShape& shape : shapes()) {
    SchedulerWorld world(spec(), shape);

    world.run();

    ASSERT_FALSE(HasFatalFailure());
    // A population that has come to its end needs no more of them.
    if (!world.scheduler().copies() || world.state().trials.size() < 8) {
      EXPECT_EQ(world.state().trials.size(), static_cast<std::size_t>(shape.trials));
    }
    EXPECT_LE(world.state().trials.size(), static_cast<std::size_t>(shape.trials));
    EXPECT_TRUE(world.state().running.empty());
    EXPECT_TRUE(world.state().waiting.empty());
  }
}

TEST_P(SchedulerSuite, TrainsSomebodyFullyUnlessEverythingFails) {
  for (const WorldShape& shape : shapes()) {
    if (shape.failing > 0) continue;
    SchedulerWorld world(spec(), shape);

    world.run();

    Step highest = 0;
    for (const Trial& trial : world.state().trials) highest = std::max(highest, trial.step);
    EXPECT_EQ(highest, 27) << shape.trials << " trials, " << shape.slots << " slots";
  }
}

TEST_P(SchedulerSuite, DecidesTheSameAgainFromTheLog) {
  for (const WorldShape& shape : shapes()) {
    SchedulerWorld world(spec(), shape);
    world.run();
    ASSERT_FALSE(HasFatalFailure());

    const auto replayed = scheduler_of(spec());
    StudyState state;
    auto asked = world.asked().begin();
    for (const Event& event : world.log()) {
      ASSERT_TRUE(apply(state, event));
      replayed->observe(state, event);
      for (; asked != world.asked().end() && asked->seq == event.seq; ++asked) {
        ASSERT_EQ(text_of(replayed->next(state, asked->may_start)), text_of(asked->answer));
      }
    }
    EXPECT_EQ(asked, world.asked().end());
  }
}

TEST_P(SchedulerSuite, KeepsEverySlotBusyWhileTheBudgetLasts) {
  for (const WorldShape& shape : shapes()) {
    SchedulerWorld world(spec(), shape);

    world.run();

    for (const auto& asked : world.asked()) {
      // A population has no use for more slots than it has members.
      if (asked.may_start && (!world.scheduler().copies() || asked.paused > 0)) {
        EXPECT_TRUE(asked.answer) << "idle at event " << asked.seq;
      }
    }
  }
}

/// It was created, and its optimizer was killed: whatever the scheduler would promote meanwhile,
/// the trial begins as the next new one does.
TEST_P(SchedulerSuite, BeginsATrialThatAKillLeftWaitingAsAnyNewOne) {
  for (const WorldShape& shape : shapes()) {
    SchedulerWorld world(spec(), shape);
    world.run();
    ASSERT_FALSE(HasFatalFailure());
    if (world.scheduler().copies()) return;  // its copies begin elsewhere

    const auto replayed = scheduler_of(spec());
    StudyState state;
    std::vector<Step> goals;  // at every question that might be answered by a new trial
    std::vector<std::optional<Step>> begun;
    auto asked = world.asked().begin();
    for (const Event& event : world.log()) {
      ASSERT_TRUE(apply(state, event));
      replayed->observe(state, event);
      for (; asked != world.asked().end() && asked->seq == event.seq; ++asked) {
        if (!asked->may_start || !asked->answer) continue;
        const auto* start = std::get_if<StartNew>(&*asked->answer);
        goals.push_back(replayed->first_goal(state, Trial{}));
        begun.push_back(start != nullptr ? std::optional(start->until) : std::nullopt);
      }
    }
    std::optional<Step> next;
    for (std::size_t i = goals.size(); i-- > 0;) {
      if (begun[i]) next = begun[i];
      EXPECT_EQ(goals[i], next.value_or(goals[i])) << "at question " << i;
    }
  }
}

TEST_P(SchedulerSuite, ForgetsNothingWhenABudgetGrows) {
  WorldShape shape;
  shape.trials = 20;
  shape.slots = 3;
  SchedulerWorld world(spec(), shape);
  world.run();
  ASSERT_FALSE(HasFatalFailure());

  EXPECT_FALSE(world.scheduler().next(world.state(), false));
  // A population that has come to its end stays there.
  EXPECT_EQ(world.scheduler().next(world.state(), true).has_value(), !world.scheduler().copies());
}

/// In the middle of a study its file gets another fidelity: longer and shorter full training, and
/// rungs where no trial has been.
TEST_P(SchedulerSuite, GoesOnWhenTheFidelityChanges) {
  for (const FidelitySpec& other :
       {FidelitySpec{"epoch", 1, 81, true}, FidelitySpec{"epoch", 1, 9, true},
        FidelitySpec{"epoch", 2, 16, true}}) {
    SCOPED_TRACE(std::to_string(other.min) + " to " + std::to_string(other.max));
    WorldShape shape;
    shape.trials = 60;
    shape.slots = 5;
    shape.failing = 0.02;
    SchedulerWorld world(spec(), shape);
    world.run(250);
    const std::size_t before = world.log().size();
    StudySpec changed = spec();
    changed.fidelity = other;

    world.restart_with(changed);
    world.run();

    ASSERT_FALSE(HasFatalFailure());
    EXPECT_TRUE(world.state().running.empty());
    EXPECT_LE(world.state().trials.size(), 60u);
    if (!world.scheduler().copies()) {
      EXPECT_EQ(world.state().trials.size(), 60u);
    }
    // What begins from now on is trained by the new study file, and somebody to its end.
    Step highest = 0;
    for (std::size_t i = before; i < world.log().size(); ++i) {
      const auto* started = std::get_if<AttemptStarted>(&world.log()[i].fact);
      if (started != nullptr) highest = std::max(highest, started->until);
    }
    // A population may have come to its end by the change.
    if (highest > 0 || !world.scheduler().copies()) {
      EXPECT_EQ(highest, other.max);
    }
  }
}

TEST_P(SchedulerSuite, DoesNotChangeItsMindWhenAllLossesAreShifted) {
  WorldShape shape;
  shape.trials = 40;
  shape.slots = 4;
  // In 64ths, so that the shift rounds nothing: equal distances between trials stay equal.
  shape.loss = [loss = shape.loss](TrialId trial, Step step) {
    return std::floor(64 * loss(trial, step)) / 64;
  };
  SchedulerWorld world(spec(), shape);
  world.run();
  WorldShape shifted = shape;
  shifted.loss = [loss = shape.loss](TrialId trial, Step step) { return loss(trial, step) + 512; };
  SchedulerWorld other(spec(), shifted);
  other.run();

  ASSERT_EQ(world.asked().size(), other.asked().size());
  for (std::size_t i = 0; i < world.asked().size(); ++i) {
    EXPECT_EQ(text_of(world.asked()[i].answer), text_of(other.asked()[i].answer));
  }
}

TEST_P(SchedulerSuite, LetsTrialsPauseAtTheRungsThatItTellsOfOnly) {
  WorldShape shape;
  shape.slots = 4;
  SchedulerWorld world(spec(), shape);
  world.run();
  const RungPlan plan = world.scheduler().rungs();

  EXPECT_TRUE(std::ranges::is_sorted(plan.levels));
  if (plan.levels.empty()) return;
  EXPECT_EQ(plan.levels.back(), 27);
  for (const auto& [until, count] : world.started()) {
    EXPECT_TRUE(std::ranges::binary_search(plan.levels, until)) << until;
  }
}

TEST_P(SchedulerSuite, SaysWhereEveryTrialStandsThatPausesAtARung) {
  WorldShape shape;
  shape.slots = 4;
  shape.failing = 0.03;
  SchedulerWorld world(spec(), shape);
  world.run();
  const auto replayed = scheduler_of(spec());
  StudyState state;
  for (const Event& event : world.log()) {
    ASSERT_TRUE(apply(state, event));
    replayed->observe(state, event);
    const auto* ended = std::get_if<AttemptEnded>(&event.fact);
    if (ended == nullptr || ended->end != AttemptEnd::reached) continue;
    const Trial& trial = state.trials[ended->trial];
    if (replayed->completes(state, trial)) continue;

    const auto standing = replayed->standing(trial.id);

    // A bracket may be over with the last trial that comes.
    if (!standing && replayed->rungs().brackets) continue;
    ASSERT_TRUE(standing) << trial.id.n;
    EXPECT_EQ(standing->step, trial.until);
    EXPECT_EQ(standing->at.own.trial, trial.id);
    EXPECT_GE(standing->at.place, 1u);
    EXPECT_LE(standing->at.place, standing->at.results);
    EXPECT_LE(standing->at.quota, standing->at.results);
    const bool goes_on = standing->at.place <= standing->at.quota;
    if (standing->at.cut) {
      EXPECT_EQ(standing->at.own <= *standing->at.cut, goes_on);
    } else {
      EXPECT_FALSE(goes_on);
    }
  }
  EXPECT_FALSE(replayed->standing(TrialId{9999}));
}

TEST_P(SchedulerSuite, NeverPromotesWithoutALoss) {
  // Reports without the objective: nobody can be called better than another.
  const StudySpec study = spec();
  const auto scheduler = scheduler_of(study);
  StudyState state;
  Sequence seq = 0;
  const auto emit = [&](Fact fact) {
    const Event event{++seq, 0, std::move(fact)};
    ASSERT_TRUE(apply(state, event));
    scheduler->observe(state, event);
  };
  emit(StudyCreated{kLogSchema, "s", Json::object(), 1, ""});
  for (std::uint64_t n = 0; n < 8; ++n) {
    const auto answer = scheduler->next(state, true);
    ASSERT_TRUE(answer && std::holds_alternative<StartNew>(*answer));
    const Step until = std::get<StartNew>(*answer).until;
    emit(TrialCreated{TrialId{n}, {{"x", static_cast<std::int64_t>(n)}}, "test", {}, {}});
    emit(AttemptStarted{TrialId{n}, AttemptId{1}, "t", 0, until, {}});
    emit(AttemptEnded{TrialId{n}, AttemptId{1}, AttemptEnd::reached, until, {}, "", true});
    if (until == 27) emit(TrialClosed{TrialId{n}, Outcome::completed, {}});
  }

  EXPECT_FALSE(scheduler->next(state, false));
}

TEST_P(SchedulerSuite, RefusesOptionsThatItDoesNotHave) {
  const StudySpec study = spec(Json{{"brackts", 3}});
  Diagnostics diagnostics;

  const auto scheduler = make_scheduler(study, diagnostics);

  EXPECT_EQ(scheduler, nullptr);
  ASSERT_EQ(diagnostics.problems().size(), 1u);
  EXPECT_NE(diagnostics.problems()[0].message.find("brackts"), std::string::npos);
}

/// What the scheduler answers in a study of 60 trials; the shape says what they come to.
std::vector<std::string> answers(const StudySpec& spec, WorldShape shape) {
  shape.trials = 60;
  shape.slots = 4;
  shape.failing = 0.02;
  SchedulerWorld world(spec, shape);
  world.run();
  std::vector<std::string> out;
  for (const auto& asked : world.asked()) out.push_back(text_of(asked.answer));
  return out;
}

TEST(Schedulers, DecideByEitherObjectiveWhereTheOtherSaysNothing) {
  WorldShape by_loss, by_cost, one;
  by_loss.cost = [](TrialId, Step) { return 1.0; };
  by_cost.cost = one.loss;
  by_cost.loss = [](TrialId, Step) { return 1.0; };
  for (const Case& each : cases()) {
    if (!each.with_cost) continue;
    const StudySpec alone = fidelity_spec(1, 27, each.name);
    const std::vector<std::string> expected = answers(alone, one);

    EXPECT_EQ(answers(with_cost(alone), by_loss), expected) << each.name;
    EXPECT_EQ(answers(with_cost(alone), by_cost), expected) << each.name;
  }
}

TEST(Schedulers, ThatCompareByOneObjectiveRefuseTwo) {
  for (const auto& [name, summary] : SchedulerRegistry::list()) {
    Diagnostics diagnostics;
    if (make_scheduler(with_cost(fidelity_spec(1, 27, name)), diagnostics)) continue;
    const std::string told = diagnostics.render(false);
    EXPECT_NE(told.find("E0505"), std::string::npos) << told;
    EXPECT_NE(told.find("use `asha`"), std::string::npos) << told;
  }
}

std::string name_of(const testing::TestParamInfo<Case>& each) {
  std::string name = each.param.name + (each.param.with_cost ? "_two_objectives" : "");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, SchedulerSuite, testing::ValuesIn(cases()), name_of);

}  // namespace
}  // namespace betatune
