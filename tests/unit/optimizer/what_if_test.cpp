#include "optimizer/what_if.hpp"

#include <cmath>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/read.hpp"
#include "optimizer/replay.hpp"
#include "searchspaces/random.hpp"

namespace betatune {
namespace {

using testing::HasSubstr;

Json document(bool resumable = true) {
  return Json{{"version", 1},
              {"study", {{"name", "recorded"}, {"seed", 1}}},
              {"objective", {{"metric", "loss"}}},
              {"parameters", {{"x", {{"type", "float"}, {"min", 0}, {"max", 100}}}}},
              {"fidelity", {{"min", 1}, {"max", 9}, {"resumable", resumable}}},
              {"trainer", {{"external", true}}}};
}

/// Writes the log of a study whose trials ran one after the other.
class Log {
 public:
  explicit Log(const Json& study = document()) {
    add(StudyCreated{kLogSchema, "recorded", study, 1, ""});
    add(OptimizerStarted{1, ""});
  }
  /// Steps 1 to `until`, each `seconds` long, with this loss; failed after them, or completed.
  void trial(Step until, double seconds, double loss, bool fails = false,
             const Metrics& metrics = {}) {
    const auto x = static_cast<double>(trials_);
    trial_at(
        x, until, seconds, [loss](Step) { return loss; }, fails, metrics);
  }
  /// The same with a loss of its own at each step.
  void trial_at(double x, Step until, double seconds, const std::function<double(Step)>& loss,
                bool fails = false, const Metrics& metrics = {}) {
    const TrialId id{trials_++};
    add(TrialCreated{id, {{"x", x}}, "sobol", {}, {}});
    add(AttemptStarted{id, AttemptId{1}, "t", 0, 9, {}});
    for (Step step = 1; step <= until; ++step) {
      at_us_ += static_cast<std::int64_t>(seconds * 1e6);
      add(Reported{id, AttemptId{1}, static_cast<std::uint64_t>(step), step, metrics, loss(step),
                   false});
    }
    add(AttemptEnded{id, AttemptId{1}, fails ? AttemptEnd::failed : AttemptEnd::reached, until,
                     fails ? std::optional(FailureClass::user) : std::nullopt, "", true});
    add(TrialClosed{id, fails ? Outcome::failed : Outcome::completed, {}});
  }
  RecordedStudy read() const {
    const auto store = make_memory_store();
    EXPECT_TRUE(store->begin_epoch());
    EXPECT_TRUE(store->append(0, events_));
    auto study = read_recorded(*store, events_.size());
    EXPECT_TRUE(study) << study.error().message;
    return study ? std::move(study).value() : RecordedStudy{};
  }
  Error error() const {
    const auto store = make_memory_store();
    EXPECT_TRUE(store->begin_epoch());
    EXPECT_TRUE(store->append(0, events_));
    const auto study = read_recorded(*store, events_.size());
    EXPECT_FALSE(study);
    return study ? Error{} : study.error();
  }

 private:
  void add(Fact fact) { events_.push_back(Event{events_.size() + 1, at_us_, std::move(fact)}); }

  std::vector<Event> events_;
  std::int64_t at_us_ = 1'000'000;
  std::uint64_t trials_ = 0;
};

WhatIf played(const RecordedStudy& study, const std::string& scheduler, int workers) {
  const auto result = what_if(study, scheduler, workers);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? result.value() : WhatIf{};
}

/// Nine trials of nine steps; trial n takes n + 1 seconds a step; the losses fall from 9 to 1.
Log nine() {
  Log log;
  for (int n = 0; n < 9; ++n) log.trial(9, n + 1, 9 - n);
  return log;
}

TEST(WhatIf, TakesTheTimeThatTheTrialsTookUnderTheSameScheduler) {
  const RecordedStudy study = nine().read();

  const WhatIf alone = played(study, "fifo", 1);

  EXPECT_EQ(alone.steps, 81);
  EXPECT_DOUBLE_EQ(alone.seconds, 9 * 45);
  EXPECT_DOUBLE_EQ(alone.busy_seconds, 9 * 45);
  EXPECT_EQ(alone.full, 9);
  EXPECT_EQ(alone.best->loss, 1);
  EXPECT_DOUBLE_EQ(alone.best_seconds, 9 * 45);
  EXPECT_EQ(alone.beyond, 0);
}

TEST(WhatIf, TakesGangsForFasterAndForMoreWorkers) {
  WhatIfGangs gangs;
  gangs.ranks = 2;
  gangs.scaling.serial = 0.5;

  const auto wide = what_if(nine().read(), "fifo", 4, gangs);

  ASSERT_TRUE(wide) << wide.error().message;
  // Two at a time, each in 1/2 + 1/2 * 1/2 of the time: 0 2 4 6 8 and 1 3 5 7.
  EXPECT_DOUBLE_EQ(wide.value().seconds, 0.75 * 9 * (1 + 3 + 5 + 7 + 9));
  EXPECT_DOUBLE_EQ(wide.value().busy_seconds, 2 * 0.75 * 9 * 45);
}

TEST(WhatIf, ChoosesWidthsByTheRungAndLearnsWhatTheyAreWorth) {
  WhatIfGangs gangs;
  gangs.widths = WidthsSpec{};
  gangs.widths->choices = {1, 2};
  const auto play = [&](double serial) {
    gangs.scaling.serial = serial;
    const auto result = what_if(nine().read(), "asha", 2, gangs);
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? result.value() : WhatIf{};
  };
  const double alone = played(nine().read(), "asha", 1).seconds;
  const double side_by_side = played(nine().read(), "asha", 2).seconds;

  const WhatIf linear = play(0);
  EXPECT_LT(linear.seconds, side_by_side) << "the last trials have both workers";
  EXPECT_NEAR(linear.seconds, alone / 2, 0.1 * alone);
  const WhatIf serial = play(1);
  EXPECT_GT(serial.busy_seconds, linear.busy_seconds);
  EXPECT_LT(serial.busy_seconds, 1.4 * linear.busy_seconds)
      << "after three trials nobody has two workers any more";
}

TEST(WhatIf, ChoosesNoWidthsWithoutRungs) {
  WhatIfGangs gangs;
  gangs.widths = WidthsSpec{};
  gangs.widths->choices = {1, 2};

  const auto result = what_if(nine().read(), "fifo", 2, gangs);

  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("no rungs"));
}

TEST(WhatIf, SharesTheTrialsAmongWorkers) {
  const WhatIf three = played(nine().read(), "fifo", 3);

  // 0 1 2 at once, then whoever is free takes the next: 0 3 6, 1 4 7, 2 5 8.
  EXPECT_DOUBLE_EQ(three.seconds, 9 * (3 + 6 + 9));
  EXPECT_DOUBLE_EQ(three.busy_seconds, 9 * 45);
}

// Rungs 1, 3, 9. Every trial is better than all before it, so of 3 trials the last goes on to 3, of
// 4 the last, ...: in all 9 to step 1; 7 (2 to 8) to step 3; 5 (4 to 8) to step 9.
TEST(WhatIf, PromotesByTheRecordedLosses) {
  const WhatIf asha = played(nine().read(), "asha", 1);

  EXPECT_EQ(asha.steps, 9 * 1 + 7 * 2 + 5 * 6);
  EXPECT_EQ(asha.full, 5);
  EXPECT_EQ(asha.best->loss, 1);
  EXPECT_EQ(asha.best->level, 9);
}

TEST(WhatIf, BeginsAgainWhereTheTrainerCannotResume) {
  Log log(document(false));
  for (int n = 0; n < 9; ++n) log.trial(9, 1, 9 - n);

  const WhatIf asha = played(log.read(), "asha", 1);

  EXPECT_EQ(asha.steps, 9 * 1 + 7 * 3 + 5 * 9);
}

TEST(WhatIf, KeepsTheLastLossBeyondTheRecordAndSaysSo) {
  Log log;
  log.trial(3, 1, 0.5);
  log.trial(9, 1, 0.7);

  const WhatIf fifo = played(log.read(), "fifo", 1);

  EXPECT_EQ(fifo.beyond, 1);
  EXPECT_EQ(fifo.steps, 18);
  EXPECT_EQ(fifo.best->loss, 0.5);
}

TEST(WhatIf, FailsWhereTheTrialFailed) {
  Log log;
  log.trial(2, 1, 0.1, true);
  log.trial(9, 1, 0.7);

  const WhatIf fifo = played(log.read(), "fifo", 1);

  EXPECT_EQ(fifo.full, 1);
  EXPECT_EQ(fifo.best->loss, 0.7);
  EXPECT_EQ(fifo.beyond, 0);
}

TEST(WhatIf, EndsUnderEveryScheduler) {
  const RecordedStudy study = nine().read();
  for (const auto& [name, summary] : SchedulerRegistry::list()) {
    SCOPED_TRACE(name);
    if (name == "pbt") continue;
    const WhatIf result = played(study, name, 4);
    EXPECT_GT(result.full, 0);
    EXPECT_GT(result.seconds, 0);
    EXPECT_LE(result.seconds, result.busy_seconds);
  }
}

TEST(WhatIf, RefusesASchedulerThatTrainsConfigurationsOfItsOwn) {
  const auto result = what_if(nine().read(), "pbt", 4);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::invalid_argument);
}

// Three rungs, one in three goes on: the ends of the front first.
TEST(WhatIf, PromotesByAllObjectives) {
  Json two = document();
  two.erase("objective");
  two["objectives"] = {{{"metric", "loss"}}, {{"metric", "cost"}, {"threshold", 10}}};
  two["objectives"][0]["threshold"] = 10;
  two["algorithm"] = {{"scheduler", {{"name", "asha"}, {"finish", false}}}};
  Log log(two);
  log.trial(9, 1, 5, false, {{"cost", 5}});
  log.trial(9, 1, 1, false, {{"cost", 9}});
  log.trial(9, 1, 9, false, {{"cost", 1}});
  log.trial(9, 1, 9, false, {{"cost", 9}});
  const RecordedStudy study = log.read();

  const WhatIf fifo = played(study, "fifo", 1);
  const WhatIf asha = played(study, "asha", 1);

  EXPECT_EQ(fifo.front, 3u);
  EXPECT_DOUBLE_EQ(*fifo.hypervolume, 4 * 1 + 4 * 5 + 1 * 9);
  EXPECT_EQ(fifo.best, std::nullopt);
  EXPECT_EQ(asha.steps, 4 * 1 + 1 * 2) << "the second trial goes on, as the first of two ends";
  EXPECT_EQ(asha.front, 0u);
}

TEST(WhatIf, KeepsToTheOutcomeConstraints) {
  Json limited = document();
  limited["outcome_constraints"] = {"mem <= 70"};
  Log log(limited);
  log.trial(9, 1, 0.1, false, {{"mem", 90}});
  log.trial(9, 1, 0.7, false, {{"mem", 50}});

  EXPECT_EQ(played(log.read(), "fifo", 1).best->loss, 0.7);
}

/// Trials with x above 50 take ten times longer for each step; what they come to is alike, and how
/// each goes on is its own.
RecordedStudy dear_and_cheap(const Json& stopping) {
  Json study = document();
  study["stopping"] = stopping;
  Log log(study);
  Stream draws(root_key(1));
  for (int n = 0; n < 120; ++n) {
    const double x = 100 * draws.uniform(), turn = 0.4 * draws.normal() / std::log(9.0);
    const auto loss = [turn](Step step) {
      const auto at = static_cast<double>(step);
      return 1 / at + turn * std::log(at);
    };
    log.trial_at(x, 9, x > 50 ? 20 : 2, loss);
  }
  return log.read();
}

// Under a budget of hours a step costs what it takes, here as in the study itself.
TEST(WhatIf, PricesStepsByTheTimesThatWereRecorded) {
  const auto seconds_per_step = [](const Json& stopping) {
    const WhatIf it = played(dear_and_cheap(stopping), "freeze-thaw", 1);
    return it.busy_seconds / static_cast<double>(it.steps);
  };

  EXPECT_LT(seconds_per_step({{"trials", 120}, {"trainer_hours", 9}}),
            0.9 * seconds_per_step({{"trials", 120}}));
}

TEST(WhatIf, SaysWhatIsWrong) {
  const auto unknown = what_if(nine().read(), "ashe", 1);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean `asha`"));

  Json flat = document();
  flat.erase("fidelity");
  Log log(flat);
  log.trial(1, 1, 1);
  EXPECT_THAT(log.error().message, HasSubstr("no `fidelity`"));
  EXPECT_THAT(Log().error().message, HasSubstr("no trial that was trained"));
}

}  // namespace
}  // namespace betatune
