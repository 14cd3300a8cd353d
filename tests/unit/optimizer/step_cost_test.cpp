// What a step of training takes, and that a budget of time is spent by it.

#include "optimizer/curves/step_cost.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optimizer/verify_decisions.hpp"
#include "tests/support/history_builder.hpp"
#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::SchedulerWorld;
using support::WorldShape;
using test::choice;
using test::real;
using testing::HasSubstr;

SearchSpace timed_space_of(std::vector<Parameter> parameters) {
  return SearchSpace::make(std::move(parameters)).value();
}

/// A log that a test writes, with the wall clock of each event in seconds.
struct TimedLog {
  StudyState state;
  StepTimes times;

  void emit(double at_s, Fact fact) {
    const Event event{state.seq + 1, static_cast<std::int64_t>(1e6 * at_s), std::move(fact)};
    const Status applied = apply(state, event);
    ASSERT_TRUE(applied) << applied.error().message;
    times.observe(state, event);
  }
};

TEST(StepTimes, AddUpWhatAttemptsTookThatReachedTheirGoal) {
  TimedLog log;
  const TrialId id{0};
  log.emit(100, StudyCreated{kLogSchema, "s", Json{{"fidelity", {{"max", 9}}}}, 1, ""});
  log.emit(100, OptimizerStarted{1, ""});
  log.emit(100, TrialCreated{id, {{"x", 0.5}}, "test", {}, {}});
  log.emit(100, AttemptStarted{id, AttemptId{1}, "t", 0, 3, {}});
  log.emit(106, AttemptEnded{id, AttemptId{1}, AttemptEnd::reached, 3, {}, "", true});
  // Of one that was lost nobody knows how long it trained.
  log.emit(106, AttemptStarted{id, AttemptId{2}, "t", 0, 9, {}});
  log.emit(200, AttemptEnded{id, AttemptId{2}, AttemptEnd::lost, 3, {}, "", true});
  // The night between two runs is no work.
  log.emit(200, AttemptStarted{id, AttemptId{3}, "t", 0, 9, {}});
  log.emit(90'000, OptimizerStarted{2, ""});
  log.emit(90'018, AttemptEnded{id, AttemptId{3}, AttemptEnd::reached, 9, {}, "", true});

  const StepTimes::Taken& taken = log.times.trials().at(id);

  EXPECT_EQ(taken.steps, 12);
  EXPECT_NEAR(taken.seconds, 6 + 18, 1e-9);
  EXPECT_NEAR(log_seconds_per_step(taken), std::log(2.0), 1e-12);
}

TEST(StepTimes, MayBeNothingWhereTheClockStoodStill) {
  EXPECT_EQ(log_seconds_per_step({0, 5}), std::log(1e-6));
}

TEST(StepCostModel, LearnsFactorsOfNumbersAndOfChoices) {
  const SearchSpace space = timed_space_of(
      {real("width", 1, 100, Scale::log), choice("net", {Value("small"), Value("large")})});
  const auto log_cost = [](double u, double choice) {
    return 1.5 * u + (choice > 0.5 ? std::log(10.0) : 0);
  };
  RowMatrix points(24, 2);
  Eigen::VectorXd logs(24);
  for (Eigen::Index i = 0; i < 24; ++i) {
    points.row(i) = space.sample_point(fold_in(root_key(1), static_cast<std::uint64_t>(i)));
    logs[i] = log_cost(points(i, 0), points(i, 1));
  }

  const StepCostModel model(FeatureMap(space.columns()), points, logs);

  RowMatrix at(4, 2);
  at << 0.1, 0.25, 0.9, 0.25, 0.1, 0.75, 0.9, 0.75;
  const Eigen::VectorXd found = model.log_seconds(at);
  for (Eigen::Index i = 0; i < 4; ++i) {
    EXPECT_NEAR(found[i], log_cost(at(i, 0), at(i, 1)), 0.15)
        << "of 3.8 between the ends, row " << i;
  }
}

TEST(StepCostModel, SaysTheSameEverywhereIfAllTookTheSame) {
  const SearchSpace space = timed_space_of({real("x", 0, 1)});
  const RowMatrix points = Eigen::VectorXd::LinSpaced(5, 0, 1);

  const StepCostModel model(FeatureMap(space.columns()), points, Eigen::VectorXd::Constant(5, 2));

  EXPECT_NEAR(model.log_seconds(points)[3], 2, 1e-9);
}

// ---- freeze-thaw under a budget of time ----

/// Half of the configurations cost ten times more for each step; what they come to is no better.
bool is_dear(const Configuration& configuration) {
  return std::get<std::string>(configuration.at("net")) == "large";
}

StudySpec two_nets(const std::string& price, bool hours = true) {
  StudySpec spec = fidelity_spec(1, 9, "freeze-thaw", Json{{"price", price}, {"ladder", 0.1}});
  spec.space = timed_space_of({real("x", 0, 1), choice("net", {Value("small"), Value("large")})});
  spec.study.seed = 1;
  if (hours) spec.stopping.trainer_hours = 1;
  return spec;
}

WorldShape timed_shape(const StudySpec& spec, std::uint64_t seed, double seconds_max) {
  WorldShape shape;
  shape.trials = 1000;
  shape.seconds_max = seconds_max;
  shape.seed = seed;
  const auto at = [space = spec.space, seed](TrialId trial) {
    return space.sample(fold_in(root_key(seed), trial.n));
  };
  shape.configuration = at;
  // How a training will go on is its own: only training it on says so.
  shape.loss = [at, seed](TrialId trial, Step step) {
    const double x = std::get<double>(at(trial).at("x"));
    Stream own(fold_in(fold_in(root_key(seed), "own"), trial.n));
    const double turn = std::log(static_cast<double>(step)) / std::log(9.0);
    return std::abs(x - 0.3) + 0.4 * own.normal() * turn + 1 / static_cast<double>(step);
  };
  shape.seconds = [at](TrialId trial) { return is_dear(at(trial)) ? 20.0 : 2.0; };
  return shape;
}

/// Steps that were trained beyond the first rung.
struct Spent {
  double cheap_and_good = 0, cheap = 0, all = 0;
};

void add_spent(const StudyState& state, Spent& sum) {
  for (const Trial& trial : state.trials) {
    const auto steps = static_cast<double>(trial.step > 1 ? trial.step - 1 : 0);
    sum.all += steps;
    if (is_dear(*trial.configuration)) continue;
    sum.cheap += steps;
    const double x = std::get<double>(trial.configuration->at("x"));
    if (std::abs(x - 0.3) < 0.1) sum.cheap_and_good += steps;
  }
}

TEST(FreezeThawByTime, SpendsMoreOfItOnWhatIsCheapAndGood) {
  Spent by_steps, by_seconds;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    for (const char* price : {"steps", "seconds"}) {
      const StudySpec spec = two_nets(price);
      SchedulerWorld world(spec, timed_shape(spec, seed, 3600));
      world.run();
      add_spent(world.state(), std::string(price) == "steps" ? by_steps : by_seconds);
    }
  }

  // Measured: 190 and 310 steps, shares of 0.56 and 0.65.
  EXPECT_GT(by_seconds.cheap_and_good, 1.1 * by_steps.cheap_and_good);
  EXPECT_GT(by_seconds.cheap / by_seconds.all, by_steps.cheap / by_steps.all + 0.04);
}

TEST(FreezeThawByTime, IsWhatAutoMeansUnderABudgetOfTime) {
  const auto log_of = [](const std::string& price, bool hours) {
    const StudySpec spec = two_nets(price, hours);
    SchedulerWorld world(spec, timed_shape(spec, 1, 1500));
    world.run();
    std::vector<std::pair<std::uint64_t, Step>> started;
    for (const Event& event : world.log()) {
      const auto* fact = std::get_if<AttemptStarted>(&event.fact);
      if (fact != nullptr) started.emplace_back(fact->trial.n, fact->until);
    }
    return started;
  };

  EXPECT_EQ(log_of("auto", true), log_of("seconds", true));
  EXPECT_EQ(log_of("auto", false), log_of("steps", false));
  EXPECT_NE(log_of("auto", true), log_of("auto", false));
}

TEST(FreezeThawByTime, DecidesTheSameAgainFromTheLog) {
  const StudySpec spec = two_nets("auto");
  SchedulerWorld world(spec, timed_shape(spec, 2, 1500));
  world.run();
  const auto store = make_memory_store();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->append(0, world.log()));

  const auto result = verify_decisions(*store, world.log().size(), [&](const Json&) {
    return Result<std::shared_ptr<const StudySpec>>(std::make_shared<const StudySpec>(spec));
  });

  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result.value().differing, 0);
  EXPECT_GT(result.value().verified, 40);
}

TEST(FreezeThawByTime, SaysWhatAStepOfEachWasExpectedToTake) {
  const StudySpec spec = two_nets("seconds");
  SchedulerWorld world(spec, timed_shape(spec, 1, 3600));
  world.run();
  const StudyState& state = world.state();
  const auto expect_near = [&](TrialId trial, double seconds) {
    // It took 2 or 20: which one, the model has to know.
    EXPECT_LT(std::abs(std::log(seconds / (is_dear(*state.trials[trial].configuration) ? 20 : 2))),
              std::log(2))
        << seconds << " s, trial " << trial.n;
  };

  int said = 0;
  for (const TrialId id : state.paused) {
    const DecisionBasis basis = world.scheduler().basis(state, state.trials[id]);
    const auto* model = std::get_if<ModelBasis>(&basis);
    if (model == nullptr) continue;
    ++said;
    ASSERT_TRUE(model->seconds && model->seconds_new && model->rival && model->rival->seconds);
    expect_near(id, *model->seconds);
    expect_near(model->rival->trial, *model->rival->seconds);
    EXPECT_GT(*model->seconds_new, 2);
    EXPECT_LT(*model->seconds_new, 20);
  }
  EXPECT_GT(said, 1);
}

TEST(FreezeThawByTime, RefusesAPriceThatItDoesNotKnow) {
  StudySpec spec = fidelity_spec(1, 9, "freeze-thaw", Json{{"price", "euros"}});
  Diagnostics diagnostics;

  EXPECT_EQ(make_scheduler(spec, diagnostics), nullptr);
  EXPECT_THAT(diagnostics.render(false), HasSubstr("seconds"));
}

}  // namespace
}  // namespace betatune
