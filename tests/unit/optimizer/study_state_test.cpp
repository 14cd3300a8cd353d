#include "optimizer/study_state.hpp"

#include <functional>
#include <gtest/gtest.h>

namespace betatune {
namespace {

const Configuration kPoint{{"x", 0.5}};

/// Appends facts to a log and folds them.
class Folded {
 public:
  Folded() {
    give(StudyCreated{kLogSchema, "s", Json{{"fidelity", {{"max", 9}}}}, 1, "test"});
    give(OptimizerStarted{1, "test"});
  }
  Status try_give(Fact fact) {
    return apply(
        state, Event{state.seq + 1, static_cast<std::int64_t>(state.seq) * 1'000, std::move(fact)});
  }
  void give(Fact fact) {
    const Status applied = try_give(std::move(fact));
    ASSERT_TRUE(applied) << applied.error().message;
  }
  /// A trial that runs its first attempt to `until`.
  TrialId run(Step until = 9) {
    const TrialId id{state.trials.size()};
    give(TrialCreated{id, {{"x", static_cast<double>(id.n)}}, "random", {}, nullptr});
    give(AttemptStarted{id, AttemptId{1}, "t", 0, until, {}});
    return id;
  }
  void report(TrialId id, Step step, double loss) {
    const Trial& trial = state.trials[id];
    give(Reported{id, trial.attempt, trial.last_seq + 1, step, {{"loss", loss}}, loss, false});
  }
  void end(TrialId id, AttemptEnd how, std::optional<FailureClass> failure = {}) {
    give(AttemptEnded{id, state.trials[id].attempt, how, state.trials[id].step, failure, "", true});
  }
  /// A trial that reached `step` with `loss`.
  TrialId reached(Step step, double loss) {
    const TrialId id = run(step);
    report(id, step, loss);
    end(id, AttemptEnd::reached);
    return id;
  }

  StudyState state;
};

AttemptStarted start_of(TrialId id, std::uint64_t attempt) {
  return AttemptStarted{id, AttemptId{attempt}, "t", 0, 9, {}};
}

TEST(StudyState, FollowsATrialThroughItsLife) {
  Folded log;
  const TrialId id = log.run();
  EXPECT_EQ(log.state.trials[id].state, TrialState::running);
  EXPECT_TRUE(log.state.running.contains(id));

  log.report(id, 3, 0.5);
  log.give(CheckpointSaved{id, AttemptId{1}, ArtifactRef{"c/3", 3, 1}});
  log.end(id, AttemptEnd::lost);
  EXPECT_TRUE(log.state.waiting.contains(id));
  EXPECT_EQ(log.state.trials[id].failures.at(FailureClass::infra), 1);

  log.give(AttemptStarted{id, AttemptId{2}, "u", 3, 9, ArtifactRef{"c/3", 3, 1}});
  EXPECT_EQ(log.state.trials[id].last_seq, 0u);
  log.report(id, 9, 0.2);
  log.end(id, AttemptEnd::reached);
  EXPECT_TRUE(log.state.paused.contains(id));

  log.give(TrialClosed{id, Outcome::completed, 0.2});
  EXPECT_EQ(log.state.trials[id].outcome, Outcome::completed);
  EXPECT_EQ(log.state.closed_count(), 1);
  EXPECT_EQ(log.state.best, id);
}

/// Every fact that may not follow is refused as corrupt, and says which event it is.
struct Illegal {
  const char* name;
  std::function<Fact(Folded&)> make;
};

class StudyStateRefuses : public ::testing::TestWithParam<Illegal> {};

TEST_P(StudyStateRefuses, AsCorrupt) {
  Folded log;
  const Fact fact = GetParam().make(log);
  const std::uint64_t before = state_hash(log.state);

  const Status applied = log.try_give(fact);

  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::corrupt);
  EXPECT_NE(applied.error().message.find("event " + std::to_string(log.state.seq + 1)),
            std::string::npos)
      << applied.error().message;
  EXPECT_EQ(state_hash(log.state), before);
}

std::vector<Illegal> illegal_facts() {
  const TrialId zero{0};
  const AttemptId one{1};
  return {
      {"SecondCreation",
       [](Folded&) {
         return StudyCreated{1, "again", {}, 1, ""};
       }},
      {"OldEpoch",
       [](Folded&) {
         return OptimizerStarted{1, ""};
       }},
      {"TrialOutOfOrder",
       [](Folded&) {
         return TrialCreated{TrialId{1}, kPoint, "x", {}, {}};
       }},
      {"EnqueuedThatWasNot",
       [=](Folded&) {
         return TrialCreated{zero, kPoint, "enqueued", {}, {}};
       }},
      {"AttemptOfNobody", [=](Folded&) { return start_of(zero, 1); }},
      {"AttemptWhileRunning", [](Folded& log) { return start_of(log.run(), 2); }},
      {"AttemptNumberTwice",
       [](Folded& log) {
         const TrialId id = log.run();
         log.end(id, AttemptEnd::lost);
         return start_of(id, 1);
       }},
      {"AttemptOfAClosedTrial",
       [](Folded& log) {
         const TrialId id = log.reached(9, 1);
         log.give(TrialClosed{id, Outcome::completed, 1.0});
         return start_of(id, 2);
       }},
      {"AttemptToWhereItIs",
       [](Folded& log) {
         const TrialId id = log.reached(1, 1);
         return AttemptStarted{id, AttemptId{2}, "t", 3, 3, ArtifactRef{"c", 3, 0}};
       }},
      {"AttemptWithoutItsCheckpoint",
       [](Folded& log) {
         const TrialId id = log.reached(1, 1);
         return AttemptStarted{id, AttemptId{2}, "t", 1, 3, {}};
       }},
      {"ReportOfNobody", [=](Folded&) { return Reported{zero, one, 1, 1, {}, {}, false}; }},
      {"ReportOfAnOldAttempt",
       [=](Folded& log) {
         const TrialId id = log.run();
         log.end(id, AttemptEnd::lost);
         log.give(start_of(id, 2));
         return Reported{id, one, 1, 1, {}, {}, false};
       }},
      {"ReportTwice",
       [=](Folded& log) {
         const TrialId id = log.run();
         log.report(id, 1, 1);
         return Reported{id, one, 1, 1, {}, {}, false};
       }},
      {"ReportBeyondAGap",
       [=](Folded& log) { return Reported{log.run(), one, 2, 1, {}, {}, false}; }},
      {"ReportAfterTheEnd",
       [=](Folded& log) { return Reported{log.reached(1, 1), one, 2, 2, {}, {}, false}; }},
      {"ConflictWithNoReport",
       [=](Folded& log) {
         return ReportConflicted{Reported{log.run(), one, 1, 1, {}, {}, false}};
       }},
      {"CheckpointOfNobody",
       [=](Folded&) {
         return CheckpointSaved{zero, one, ArtifactRef{"c", 1, 0}};
       }},
      {"DecisionToGoOn",
       [=](Folded& log) { return Decided{log.run(), one, Action::go_on, 1, "", ""}; }},
      {"DecisionAfterAStop",
       [=](Folded& log) {
         const TrialId id = log.run();
         log.give(Decided{id, one, Action::stop, 1, "user", ""});
         return Decided{id, one, Action::pause, 1, "drain", ""};
       }},
      {"EndOfNobody",
       [=](Folded&) { return AttemptEnded{zero, one, AttemptEnd::lost, 0, {}, "", true}; }},
      {"EndTwice",
       [=](Folded& log) {
         return AttemptEnded{log.reached(1, 1), one, AttemptEnd::reached, 1, {}, "", true};
       }},
      {"FailureWithoutItsClass",
       [=](Folded& log) {
         return AttemptEnded{log.run(), one, AttemptEnd::failed, 1, {}, "", true};
       }},
      {"TrialClosesWhileRunning",
       [](Folded& log) {
         return TrialClosed{log.run(), Outcome::completed, {}};
       }},
      {"TrialClosesTwice",
       [](Folded& log) {
         const TrialId id = log.reached(9, 1);
         log.give(TrialClosed{id, Outcome::completed, 1.0});
         return TrialClosed{id, Outcome::stopped, 1.0};
       }},
      {"StudyClosesWhileATrialRuns",
       [](Folded& log) {
         log.run();
         return StudyClosed{"trials"};
       }},
      {"TrialAfterTheEnd",
       [](Folded& log) {
         log.give(StudyClosed{"trials"});
         return TrialCreated{TrialId{0}, kPoint, "x", {}, {}};
       }},
  };
}

std::string name_of_illegal(const ::testing::TestParamInfo<Illegal>& each) {
  return each.param.name;
}

INSTANTIATE_TEST_SUITE_P(Facts, StudyStateRefuses, ::testing::ValuesIn(illegal_facts()),
                         name_of_illegal);

TEST(StudyState, RefusesAGapInTheSequence) {
  Folded log;

  const Status applied = apply(log.state, Event{log.state.seq + 2, 0, OptimizerStarted{2, ""}});

  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::corrupt);
}

TEST(StudyState, RefusesALogOfANewerSchemaAsUnsupported) {
  StudyState state;

  const Status applied = apply(state, Event{1, 0, StudyCreated{kLogSchema + 1, "s", {}, 1, ""}});

  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, ErrorKind::unsupported);
}

TEST(StudyState, LetsALaterOptimizerGoOnAfterTheEnd) {
  Folded log;
  log.give(StudyClosed{"trials"});
  EXPECT_EQ(log.state.closed_reason, "trials");

  log.give(OptimizerStarted{2, "test"});

  EXPECT_FALSE(log.state.closed_reason.has_value());
  log.run();
}

TEST(StudyState, WaitsAfterAPauseThatTheSchedulerDidNotAskFor) {
  for (const char* by : {"scheduler", "drain"}) {
    Folded log;
    const TrialId id = log.run();
    log.report(id, 2, 0.5);
    log.give(Decided{id, AttemptId{1}, Action::pause, 2, by, ""});
    log.end(id, AttemptEnd::paused);
    const bool scheduled = std::string(by) == "scheduler";
    EXPECT_EQ(log.state.trials[id].state, scheduled ? TrialState::paused : TrialState::created);
  }
}

TEST(StudyState, ReplacesWhatANewAttemptReportsAgain) {
  Folded log;
  const TrialId id = log.run();
  for (Step step = 1; step <= 5; ++step) log.report(id, step, 1.0 / static_cast<double>(step));
  log.give(CheckpointSaved{id, AttemptId{1}, ArtifactRef{"c/2", 2, 1}});
  log.end(id, AttemptEnd::lost);
  log.give(AttemptStarted{id, AttemptId{2}, "t", 2, 9, ArtifactRef{"c/2", 2, 1}});

  log.report(id, 3, 0.9);

  const Trial& trial = log.state.trials[id];
  ASSERT_EQ(trial.observations.size(), 5u);
  EXPECT_EQ(trial.loss_at(3), 0.9);
  EXPECT_EQ(trial.observations[2].attempt, AttemptId{2});
  EXPECT_EQ(trial.observations[4].attempt, AttemptId{1});
  EXPECT_EQ(trial.loss, 0.2) << "the loss of the highest step stays until it is reported again";
  EXPECT_FALSE(trial.loss_at(6).has_value());
}

TEST(StudyState, KeepsTheLossOfAStepThatOtherMetricsFollow) {
  Folded log;
  const TrialId id = log.run();
  log.report(id, 1, 0.5);

  log.give(Reported{id, AttemptId{1}, 2, 1, {{"seconds", 3}}, {}, false});

  EXPECT_EQ(log.state.trials[id].loss_at(1), 0.5);
  EXPECT_EQ(log.state.trials[id].last_metrics, (Metrics{{"loss", 0.5}, {"seconds", 3}}));
}

TEST(StudyState, NeverPrefersAShortTrainingToALongOne) {
  Folded log;
  const TrialId brief = log.reached(1, 0.1);
  EXPECT_EQ(log.state.best, brief);

  const TrialId longer = log.reached(3, 0.4);
  EXPECT_EQ(log.state.best, longer);

  const TrialId full = log.reached(9, 0.3);
  EXPECT_EQ(log.state.best, full);

  log.reached(9, 0.35);
  EXPECT_EQ(log.state.best, full);
  const TrialId better = log.reached(9, 0.2);
  EXPECT_EQ(log.state.best, better);
}

TEST(StudyState, KeepsTheNoteOfASearcherAndTellsItFromNone) {
  Folded with, without;
  with.give(TrialCreated{TrialId{0}, kPoint, "de", {}, Json{{"slot", 3}}});
  without.give(TrialCreated{TrialId{0}, kPoint, "de", {}, nullptr});

  ASSERT_TRUE(with.state.trials[TrialId{0}].note);
  EXPECT_EQ(with.state.trials[TrialId{0}].note->at("slot"), 3);
  EXPECT_FALSE(without.state.trials[TrialId{0}].note);
  EXPECT_NE(state_hash(with.state), state_hash(without.state));
}

TEST(StudyState, CountsStepsBeyondTheFullBudgetAsTheFullBudget) {
  Folded log;
  const TrialId full = log.reached(9, 0.3);

  log.reached(20, 0.4);

  EXPECT_EQ(log.state.best, full);
}

TEST(StudyState, TakesTheBestAwayFromATrialThatFailsAfterAll) {
  Folded log;
  const TrialId second = log.reached(3, 0.4);
  const TrialId first = log.reached(3, 0.2);
  EXPECT_EQ(log.state.best, first);

  log.give(start_of(first, 2));
  log.end(first, AttemptEnd::failed, FailureClass::user);
  log.give(TrialClosed{first, Outcome::failed, {}});

  EXPECT_EQ(log.state.best, second);
}

TEST(StudyState, CountsTheTimeOfRunsButNotTheTimeBetween) {
  StudyState state;
  const auto give = [&](std::int64_t at_us, Fact fact) {
    ASSERT_TRUE(apply(state, Event{state.seq + 1, at_us, std::move(fact)}));
  };
  give(1'000, StudyCreated{1, "s", {}, 1, ""});
  give(1'000, OptimizerStarted{1, ""});
  give(1'500, ConfigurationEnqueued{kPoint});
  give(9'000, OptimizerStarted{2, ""});
  give(9'100, ConfigurationEnqueued{kPoint});
  give(5'000, ConfigurationEnqueued{kPoint});  // somebody set the clock back
  give(5'010, ConfigurationEnqueued{kPoint});

  EXPECT_EQ(state.active_us, 500 + 100 + 10);
}

TEST(Fact, RefusesAnUnknownTypeAndADamagedBody) {
  EXPECT_EQ(decode_fact("from_the_future", Json::object()).error().kind, ErrorKind::corrupt);
  const auto damaged = decode_fact("reported", Json{{"trial", "x"}});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().kind, ErrorKind::corrupt);
  EXPECT_NE(damaged.error().message.find("reported.trial"), std::string::npos);
}

}  // namespace
}  // namespace betatune
