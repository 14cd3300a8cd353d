/// How attempts, trials and studies end, are lost, retried and gone on with.

#include <gmock/gmock.h>

#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using testing::Harness;
using ::testing::HasSubstr;
using testing::small_study;
using testing::stepped_study;
using namespace std::chrono_literals;

/// Reports `step` with a checkpoint at it.
void report_saved(Harness& shell, const PeerId& peer, const Assign& at, std::uint64_t seq,
                  Step step) {
  const ArtifactRef saved{"checkpoints/" + std::to_string(step), step, 1};
  shell.say(peer, Report{at.trial, at.attempt, seq, step, {{"loss", 0.5}}, saved});
}

TEST(CoordinatorLease, EndsTheAttemptOfASilentTrainerAndGoesOnFromItsCheckpoint) {
  Harness shell(stepped_study(9, "fifo"));
  shell.join("a");
  const Assign first = shell.only_sent<Assign>();
  report_saved(shell, "a", first, 1, 4);

  shell.tick(31s);
  EXPECT_EQ(shell.trial(0).state, TrialState::created);
  EXPECT_EQ(shell.trial(0).failures.at(FailureClass::infra), 1);
  shell.sent.clear();
  shell.join("b");

  const Assign second = shell.only_sent<Assign>();
  EXPECT_EQ(second.trial, first.trial);
  EXPECT_EQ(second.attempt.n, 2u);
  EXPECT_EQ(second.from, 4);
  EXPECT_EQ(second.resume_from->uri, "checkpoints/4");
  EXPECT_EQ(second.until, 9);
  EXPECT_EQ(second.seed, first.seed);
}

TEST(CoordinatorLease, IsRenewedByAnyMessage) {
  Harness shell(stepped_study(9, "fifo"));
  shell.join("a");
  const Assign at = shell.only_sent<Assign>();

  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    shell.tick(20s);
    shell.report("a", at, seq, static_cast<Step>(seq), 0.5);
  }

  EXPECT_EQ(shell.trial(0).state, TrialState::running);
  EXPECT_EQ(shell.trial(0).last_seq, 5u);
}

TEST(CoordinatorLease, StartsAgainFromTheBeginningIfTheTrainerCannotResume) {
  StudySpec spec = stepped_study(9, "fifo");
  spec.fidelity->resumable = false;
  Harness shell(spec);
  shell.join("a");
  report_saved(shell, "a", shell.only_sent<Assign>(), 1, 4);
  shell.tick(31s);
  shell.sent.clear();

  shell.join("b");

  const Assign again = shell.only_sent<Assign>();
  EXPECT_EQ(again.from, 0);
  EXPECT_FALSE(again.resume_from.has_value());
}

TEST(CoordinatorLease, CountsWholeWorkAsReachedAlthoughItsDoneWasLost) {
  Harness shell(stepped_study(9, "fifo"));
  shell.join("a");
  report_saved(shell, "a", shell.only_sent<Assign>(), 1, 9);

  shell.tick(31s);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::completed);
}

TEST(CoordinatorRetry, GivesUpAfterTheRetriesOfTheFailuresKind) {
  StudySpec spec = small_study();
  spec.trials.retry.oom = 1;
  spec.stopping.trials = 1;
  Harness shell(spec);
  shell.join("t");

  const Assign first = shell.only_sent<Assign>();
  shell.done("t", first, 0, AttemptEnd::failed, FailureClass::oom);
  shell.say("t", Ready{1});
  const Assign second = shell.only_sent<Assign>();
  EXPECT_EQ(second.attempt.n, 2u);
  shell.done("t", second, 0, AttemptEnd::failed, FailureClass::oom);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_EQ(shell.finished, "trials");
  EXPECT_FALSE(shell.state().best.has_value());
}

TEST(CoordinatorDone, WithoutAnyObjectiveIsTheUsersFailure) {
  Harness shell(small_study());
  shell.join("t");

  shell.done("t", shell.only_sent<Assign>(), 0);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_EQ(shell.trial(0).last_failure, FailureClass::user);
  EXPECT_THAT(shell.trial(0).message, HasSubstr("without reporting `loss`"));
}

TEST(CoordinatorDone, AfterALossThatIsNotFiniteIsDiverged) {
  Harness shell(stepped_study(9, "fifo"));
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();

  shell.report("t", at, 1, 1, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(shell.only_sent<Decision>().action, Action::stop);
  shell.done("t", at, 1, AttemptEnd::stopped);

  EXPECT_EQ(shell.facts<Reported>().at(0).metrics.size(), 0u);
  EXPECT_TRUE(shell.facts<Reported>().at(0).diverged);
  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_EQ(shell.trial(0).last_failure, FailureClass::diverged);
}

TEST(CoordinatorObjective, IsNegatedWhereItIsMaximized) {
  StudySpec spec = small_study();
  spec.objective = ObjectiveSpec{"accuracy", Goal::maximize, {}};
  Harness shell(spec);
  shell.join("t", 2);
  for (const Assign& at : shell.all_sent<Assign>()) {
    const double accuracy = at.trial.n == 0 ? 0.9 : 0.8;
    shell.say("t", Report{at.trial, at.attempt, 1, 1, {{"accuracy", accuracy}}, {}});
    shell.done("t", at, 1);
  }

  EXPECT_EQ(shell.state().best, TrialId{0});
  EXPECT_EQ(shell.trial(0).loss, -0.9);
}

TEST(CoordinatorEnd, ComesWithTheTargetAndStopsWhatRuns) {
  StudySpec spec = small_study();
  spec.objective.target = 0.1;
  Harness shell(spec);
  shell.join("a");
  const Assign first = shell.only_sent<Assign>();
  shell.join("b");
  const Assign second = shell.only_sent<Assign>();

  shell.report("a", first, 1, 1, 0.05);
  shell.done("a", first, 1);
  EXPECT_EQ(shell.only_sent<Decision>().trial, second.trial);
  EXPECT_FALSE(shell.finished.has_value());
  shell.done("b", second, 0, AttemptEnd::stopped);

  EXPECT_EQ(shell.finished, "target");
  EXPECT_EQ(shell.trial(1).outcome, Outcome::stopped);
}

TEST(CoordinatorEnd, ComesAfterSoManyFailures) {
  StudySpec spec = small_study();
  spec.trials.max_failed = 2;
  Harness shell(spec);
  shell.join("t");

  for (int i = 0; i < 2; ++i) {
    const Assign at = shell.only_sent<Assign>();
    shell.done("t", at, 0, AttemptEnd::failed, FailureClass::user);
    shell.say("t", Ready{1});
  }

  EXPECT_EQ(shell.finished, "failures");
}

TEST(CoordinatorEnd, ComesWithTheWallTimeOfAllRunsTogether) {
  StudySpec spec = small_study();
  spec.stopping.trials.reset();
  spec.stopping.wall_time = Duration{60};
  Harness shell(spec);
  shell.join("t");
  shell.now += 40s;
  shell.finish_trial("t", shell.only_sent<Assign>(), 0.5);
  EXPECT_FALSE(shell.finished.has_value());
  shell.now += 1h;  // nobody runs it in this time

  shell.restart();
  shell.join("u");
  shell.tick(19s);
  EXPECT_FALSE(shell.finished.has_value());
  for (const TrialId id : std::set<TrialId>(shell.state().running)) {
    EXPECT_EQ(shell.state().trials[id].attempt.n, 1u);
  }
  shell.tick(2s);

  ASSERT_TRUE(shell.has_sent<Decision>());
  EXPECT_EQ(shell.all_sent<Decision>().at(0).action, Action::stop);
}

TEST(CoordinatorEnd, ComesWhenTheSpaceIsExhausted) {
  StudySpec spec = small_study();
  spec.space = SearchSpace::make({Parameter{"n", Integer{1, 3, Scale::linear, 1}, {}, {}}}).value();
  spec.stopping.trials = 50;
  Harness shell(spec);
  shell.join("t");

  for (int i = 0; i < 3; ++i) shell.finish_trial("t", shell.only_sent<Assign>(), i);

  EXPECT_EQ(shell.finished, "exhausted");
  EXPECT_EQ(shell.state().trials.size(), 3u);
}

TEST(CoordinatorEnd, IsNotTheEndForALargerBudget) {
  StudySpec spec = small_study();
  spec.stopping.trials = 1;
  Harness shell(spec);
  shell.join("t");
  shell.finish_trial("t", shell.only_sent<Assign>(), 0.5);
  ASSERT_EQ(shell.finished, "trials");
  const std::size_t events = shell.log().size();

  shell.restart();
  EXPECT_EQ(shell.finished, "trials") << "the same file again says so at once";
  EXPECT_EQ(shell.log().size(), events) << "and leaves the log as it is";

  spec.stopping.trials = 2;
  spec.document["stopping"]["trials"] = 2;
  shell.restart_with(spec);
  EXPECT_FALSE(shell.finished.has_value());
  EXPECT_EQ(shell.facts<DocumentChanged>().size(), 1u);
  shell.join("t");
  shell.finish_trial("t", shell.only_sent<Assign>(), 0.4);

  EXPECT_EQ(shell.finished, "trials");
  EXPECT_EQ(shell.state().trials.size(), 2u);
}

TEST(CoordinatorEnd, ClosesPausedTrialsAsStopped) {
  StudySpec spec = stepped_study(9, "asha");
  spec.stopping.trials = 3;
  Harness shell(spec);
  shell.join("t");
  while (!shell.finished) {
    const Assign at = shell.only_sent<Assign>();
    shell.finish_trial("t", at, 1.0 + static_cast<double>(at.trial.n));
  }

  EXPECT_EQ(shell.trial(0).outcome, Outcome::completed);
  EXPECT_EQ(shell.trial(1).outcome, Outcome::stopped);
  EXPECT_EQ(shell.trial(2).outcome, Outcome::stopped);
}

TEST(CoordinatorDrain, PausesWhatCanGoOnLaterAndStartsNothing) {
  Harness shell(stepped_study(9, "fifo"));
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();
  report_saved(shell, "t", at, 1, 4);
  shell.sent.clear();

  shell.give(DrainRequest{"Ctrl-C"});
  EXPECT_EQ(shell.only_sent<Decision>().action, Action::pause);
  shell.done("t", at, 1, AttemptEnd::paused);
  EXPECT_EQ(shell.finished, "drained");
  EXPECT_TRUE(shell.has_sent<Bye>());

  shell.restart();
  shell.join("t");
  const Assign again = shell.only_sent<Assign>();
  EXPECT_EQ(again.trial, at.trial);
  EXPECT_EQ(again.from, 4);
  EXPECT_EQ(again.until, 9);
}

TEST(CoordinatorDrain, LetsATrialFinishThatCannotGoOnLater) {
  Harness shell(small_study());
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();

  shell.give(DrainRequest{"Ctrl-C"});
  EXPECT_FALSE(shell.has_sent<Decision>());
  shell.finish_trial("t", at, 0.5);

  EXPECT_EQ(shell.finished, "drained");
  EXPECT_EQ(shell.trial(0).outcome, Outcome::completed);
  EXPECT_EQ(shell.state().trials.size(), 1u);
}

TEST(CoordinatorCancel, InterruptsWithoutChargingARetry) {
  Harness shell(small_study());
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();

  shell.give(CancelRequest{});

  EXPECT_EQ(shell.finished, "cancelled");
  EXPECT_TRUE(shell.trial(0).failures.empty());
  EXPECT_EQ(shell.trial(0).state, TrialState::created);
  EXPECT_FALSE(shell.all_sent<Bye>().at(0).drain);
  shell.restart();
  shell.join("t");
  EXPECT_EQ(shell.only_sent<Assign>().trial, at.trial);
}

TEST(CoordinatorRestart, LetsTrainersGoOnWithWhatTheyHold) {
  Harness shell(stepped_study(9, "fifo"));
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();
  shell.report("t", at, 1, 1, 0.5);
  shell.restart();

  shell.report("t", at, 2, 2, 0.4);
  EXPECT_EQ(shell.only_sent<Refusal>().code, "not_welcome");
  shell.join("t", 1, {Held{at.trial, at.attempt, 2, 2}});
  const Welcome welcome = shell.all_sent<Welcome>().at(0);
  ASSERT_EQ(welcome.keep.size(), 1u);
  EXPECT_EQ(welcome.keep[0].last_seq, 1u);
  shell.report("t", at, 2, 2, 0.4);

  EXPECT_EQ(shell.trial(0).last_seq, 2u);
  EXPECT_EQ(shell.trial(0).attempt.n, 1u);
}

TEST(CoordinatorRestart, WaitsOneLeaseForTrainersToComeBack) {
  Harness shell(small_study());
  shell.join("gone");
  shell.restart();

  shell.tick(29s);
  EXPECT_EQ(shell.trial(0).state, TrialState::running);
  shell.tick(2s);

  EXPECT_EQ(shell.trial(0).state, TrialState::created);
  EXPECT_TRUE(shell.trial(0).failures.empty())
      << "the optimizer's restart is not the trial's fault";
}

TEST(CoordinatorRestart, WaitsForNobodyWhereTheShellKnowsThatNoneHasSurvived) {
  Harness shell(small_study());
  shell.join("gone");
  CoordinatorOptions options;
  options.rejoin_grace = 0s;
  shell.restart(options);

  shell.tick();

  EXPECT_EQ(shell.trial(0).state, TrialState::created);
}

TEST(CoordinatorRestart, DrawsTheSameTrialsAsARunThatWasNotInterrupted) {
  for (const char* searcher : {"random", "sobol"}) {
    StudySpec spec = small_study();
    spec.algorithm.searcher.name = searcher;
    spec.stopping.trials = 70;
    const auto run = [&](bool restarts) {
      Harness shell(spec);
      for (int i = 0; i < 70; ++i) {
        if (restarts && i % 7 == 3) {
          shell.restart();
        }
        shell.join("t");
        shell.finish_trial("t", shell.all_sent<Assign>().back(), i);
        // The READY above has begun the next trial: with a restart it is gone on with.
      }
      std::vector<Configuration> drawn;
      for (const TrialCreated& each : shell.facts<TrialCreated>()) {
        drawn.push_back(each.configuration);
      }
      return drawn;
    };

    EXPECT_EQ(run(true), run(false)) << searcher;
  }
}

TEST(CoordinatorBeat, RepeatsADecisionUntilTheTrainerObeys) {
  Harness shell(small_study());
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();
  shell.give(StopTrialRequest{at.trial});
  shell.sent.clear();

  shell.say("t", Beat{1, {Held{at.trial, at.attempt, 0, 0}}, {}});
  EXPECT_EQ(shell.only_sent<Decision>().action, Action::stop);
  shell.done("t", at, 0, AttemptEnd::stopped);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::stopped);
  EXPECT_EQ(shell.facts<Decided>().size(), 1u);
}

TEST(CoordinatorBeat, SendsAnAssignmentAgainThatDidNotArrive) {
  Harness shell(small_study());
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();

  shell.say("t", Beat{});
  EXPECT_FALSE(shell.has_sent<Assign>()) << "it may still be on its way";
  shell.now += 6s;
  shell.say("t", Beat{});

  const Assign again = shell.only_sent<Assign>();
  EXPECT_EQ(again.trial, at.trial);
  EXPECT_EQ(again.attempt, at.attempt);
}

TEST(CoordinatorBeat, GivesUpWorkThatItsTrainerHasLost) {
  Harness shell(stepped_study(9, "fifo"));
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();
  shell.report("t", at, 1, 1, 0.5);
  shell.now += 6s;

  for (int beat = 0; beat < 3; ++beat) {
    EXPECT_EQ(shell.trial(0).attempt.n, 1u);
    EXPECT_EQ(shell.trial(0).state, TrialState::running);
    shell.say("t", Beat{});
  }

  EXPECT_EQ(shell.trial(0).last_end, AttemptEnd::lost);
}

TEST(CoordinatorBeat, DropsWhatIsNotOurs) {
  Harness shell(small_study());
  shell.join("t");
  shell.sent.clear();

  shell.say("t", Beat{1, {Held{TrialId{99}, AttemptId{1}, 0, 0}}, {}});

  EXPECT_EQ(shell.only_sent<Beat>().drop.size(), 1u);
}

TEST(CoordinatorBye, LetsATrainerFinishOrTakesItsWorkBack) {
  Harness shell(small_study());
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();

  shell.say("t", Bye{"node is drained", true});
  shell.finish_trial("t", at, 0.5);
  EXPECT_FALSE(shell.has_sent<Assign>()) << "it takes no more";

  shell.join("u");
  ASSERT_TRUE(shell.has_sent<Assign>());
  shell.say("u", Bye{"preempted", false});
  EXPECT_EQ(shell.trial(1).state, TrialState::created);
  EXPECT_TRUE(shell.trial(1).failures.empty());
}

TEST(CoordinatorHello, IsRefusedWithAWrongTokenVersionOrName) {
  CoordinatorOptions options;
  options.token = "secret";
  Harness shell(small_study(), {}, options);
  const auto answer = [&](Hello hello) {
    shell.sent.clear();
    shell.say("t", std::move(hello));
    const Refusal refusal = shell.only_sent<Refusal>();
    EXPECT_TRUE(refusal.fatal);
    return refusal.code;
  };

  EXPECT_EQ(answer(Hello{1, 1, "t", "s", "secreT", 1, "", {}}), "bad_token");
  EXPECT_EQ(answer(Hello{1, 1, "t", "s", "", 1, "", {}}), "bad_token");
  EXPECT_EQ(answer(Hello{2, 3, "t", "s", "secret", 1, "", {}}), "bad_version");
  EXPECT_EQ(answer(Hello{1, 1, "t", "s", "secret", 0, "", {}}), "too_many_slots");
  EXPECT_EQ(answer(Hello{1, 1, "", "s", "secret", 1, "", {}}), "malformed");
  EXPECT_TRUE(shell.coordinator().roster().all().empty());
  shell.say("t", Hello{1, 1, "t", "s", "secret", 1, "", {}});
  EXPECT_TRUE(shell.has_sent<Welcome>());
}

TEST(CoordinatorReport, IsRefusedIfItsCheckpointIsOutsideOfTheStudysFolder) {
  Harness shell(stepped_study(9, "fifo"));
  shell.join("t");
  const Assign at = shell.only_sent<Assign>();

  for (const char* uri : {"/etc/passwd", "..", "../x", "a/../../x", "a/..", ""}) {
    shell.say("t", Report{at.trial, at.attempt, 1, 1, {{"loss", 1}}, ArtifactRef{uri, 1, 0}});
    EXPECT_EQ(shell.only_sent<Refusal>().code, "malformed") << uri;
  }
  EXPECT_TRUE(shell.facts<Reported>().empty());
  shell.say("t", Report{at.trial, at.attempt, 1, 1, {{"loss", 1}}, ArtifactRef{"a..b/c", 1, 0}});
  EXPECT_EQ(shell.facts<CheckpointSaved>().size(), 1u);
}

TEST(CoordinatorEnqueue, IsTriedBeforeAnySuggestionAndOutlivesARestart) {
  Harness shell(small_study());
  const Configuration mine{{"x", 0.125}, {"n", std::int64_t{5}}};

  shell.give(EnqueueRequest{mine});
  shell.restart();
  shell.join("t");

  EXPECT_EQ(shell.only_sent<Assign>().params, mine);
  EXPECT_EQ(shell.facts<TrialCreated>().at(0).origin, "enqueued");
  EXPECT_TRUE(shell.state().enqueued.empty());
}

TEST(CoordinatorInitial, TriesTheFilesPointsFirstOrElseTheDefaults) {
  StudySpec spec = small_study();
  spec.algorithm.initial.points.push_back(
      ConfigNode::from_json(Json{{"x", 0.75}, {"n", 3}}, "test"));
  Harness with_points(spec);
  with_points.join("t");
  EXPECT_EQ(with_points.only_sent<Assign>().params,
            (Configuration{{"x", 0.75}, {"n", std::int64_t{3}}}));

  StudySpec defaults = small_study();
  defaults.space =
      SearchSpace::make({Parameter{"x", Real{0, 1, Scale::linear, {}}, Value(0.5), {}}}).value();
  Harness with_defaults(defaults);
  with_defaults.join("t");
  EXPECT_EQ(with_defaults.only_sent<Assign>().params, (Configuration{{"x", 0.5}}));
  EXPECT_EQ(with_defaults.facts<TrialCreated>().at(0).origin, "initial");
}

TEST(CoordinatorPlan, IsIgnoredIfNobodyWaitsForIt) {
  Harness shell(small_study());
  const Suggestion known{{{"x", 0.5}, {"n", std::int64_t{5}}}, "random", nullptr};

  shell.give(Planned{17, {known}});
  shell.join("t");

  EXPECT_NE(shell.only_sent<Assign>().params, known.configuration);
}

TEST(CoordinatorPlan, GivesNoConfigurationTwiceAlthoughOneWasEnqueuedMeanwhile) {
  StudySpec spec = small_study();
  spec.space = SearchSpace::make({Parameter{"n", Integer{1, 3, Scale::linear, 1}, {}, {}}}).value();
  spec.stopping.trials = 50;
  Harness shell(spec);
  ASSERT_EQ(shell.plans, 1) << "all three are in the queue";
  shell.give(EnqueueRequest{{{"n", std::int64_t{2}}}});

  shell.join("t");
  while (!shell.finished) shell.finish_trial("t", shell.only_sent<Assign>(), 1);

  std::set<Configuration> tried;
  for (const TrialCreated& each : shell.facts<TrialCreated>()) tried.insert(each.configuration);
  EXPECT_EQ(tried.size(), 3u);
  EXPECT_EQ(shell.state().trials.size(), 3u);
}

}  // namespace
}  // namespace betatune
