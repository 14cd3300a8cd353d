/// Attempts of changing width: slots, credit, accounting, and that the log has it all.

#include <gmock/gmock.h>

#include "tests/support/coordinator_harness.hpp"
#include "tests/support/verified_decisions.hpp"

namespace betatune {
namespace {

using test::Harness;
using test::stepped_study;
using test::verified;
using testing::ElementsAre;
using namespace std::chrono_literals;

/// Rungs at 1, 3 and 9.
StudySpec wide_study(std::vector<int> choices, bool on_gpus = false) {
  StudySpec spec = stepped_study(9, "asha");
  spec.stopping.trials = 9;
  spec.resources.widths = WidthsSpec{};
  spec.resources.widths->choices = choices;
  spec.resources.ranks = spec.resources.cpus = choices.back();
  if (on_gpus) spec.resources.gpus = choices.back();
  const char* key = on_gpus ? "gpus" : "ranks";
  spec.document["resources"][key] = Json{{"choices", choices}};
  return spec;
}

/// Reports the last step, with a checkpoint there, and ends.
void finish(Harness& shell, const Assign& at, double loss, double rate = 0,
            const PeerId& trainer = "t") {
  const ArtifactRef saved{
      "checkpoints/" + std::to_string(at.trial.n) + "-" + std::to_string(at.until), at.until, 1};
  Metrics metrics{{"loss", loss}};
  if (rate > 0) metrics["samples_per_second"] = rate;
  shell.say(trainer, Report{at.trial, at.attempt, 1, at.until, metrics, saved});
  shell.done(trainer, at, 1);
}

Assign next(Harness& shell, int credit) {
  shell.sent.clear();
  shell.say("t", Ready{credit});
  return shell.only_sent<Assign>();
}

TEST(CoordinatorWidths, WidenATrialAtEachRung) {
  StudySpec spec = wide_study({1, 2, 4});
  spec.trials.parallel = 1;
  Harness shell(spec);
  shell.join("t", 4);
  Assign at = shell.only_sent<Assign>();
  std::vector<std::pair<Step, int>> seen;
  for (int i = 0; i < 12; ++i) {
    seen.emplace_back(at.until, at.job.ranks);
    EXPECT_EQ(at.job.slots, at.job.ranks);
    EXPECT_EQ(at.job.cpus, at.job.ranks);
    finish(shell, at, 1 - 0.01 * static_cast<double>(at.trial.n));
    at = next(shell, 4);
  }

  EXPECT_THAT(seen, testing::Contains(std::pair<Step, int>(1, 1)));
  EXPECT_THAT(seen, testing::Contains(std::pair<Step, int>(3, 2)));
  EXPECT_THAT(seen, testing::Contains(std::pair<Step, int>(9, 4)));
  for (const auto& [until, ranks] : seen) EXPECT_EQ(ranks, until == 1 ? 1 : until == 3 ? 2 : 4);
}

TEST(CoordinatorWidths, GoOnFromTheCheckpointOfAnotherWidth) {
  StudySpec spec = wide_study({1, 2, 4});
  spec.trials.parallel = 1;
  Harness shell(spec);
  shell.join("t", 4);
  Assign at = shell.only_sent<Assign>();
  while (at.until == 1) {
    finish(shell, at, 0.5);
    at = next(shell, 4);
  }

  EXPECT_EQ(at.job.ranks, 2);
  EXPECT_EQ(at.from, 1);
  ASSERT_TRUE(at.resume_from.has_value());
}

TEST(CoordinatorWidths, FillTheSlotsOfATrainerAndNoMore) {
  Harness shell(wide_study({2, 4}));

  shell.join("t", 7);

  const auto all = shell.all_sent<Assign>();
  ASSERT_EQ(all.size(), 3u) << "three narrow ones; one slot is too few for another";
  for (const Assign& each : all) EXPECT_EQ(each.job.slots, 2);
  EXPECT_THAT(shell.facts<AttemptStarted>().at(0).width, (ChosenWidth{2, 7}));
  EXPECT_THAT(shell.facts<AttemptStarted>().at(2).width, (ChosenWidth{2, 3}));
}

TEST(CoordinatorWidths, TakeNoMoreThanTheCreditBehindADoneSays) {
  Harness shell(wide_study({2, 4}));
  shell.join("t", 8);
  const std::vector<Assign> all = shell.all_sent<Assign>();
  ASSERT_EQ(all.size(), 4u);
  shell.sent.clear();

  finish(shell, all[0], 0.5);
  EXPECT_FALSE(shell.has_sent<Assign>()) << "how much is free, the trainer has yet to say";
  shell.say("t", Ready{1});
  EXPECT_FALSE(shell.has_sent<Assign>());
  shell.say("t", Ready{2});
  EXPECT_EQ(shell.only_sent<Assign>().job.slots, 2);
}

TEST(CoordinatorWidths, PutAWideOneWhereItFitsAndANarrowOneWhereItIsTight) {
  StudySpec spec = wide_study({1, 4});
  spec.trials.parallel = 1;
  Harness shell(spec);
  for (const char* name : {"first", "tight"}) shell.join(name, 1);
  shell.join("wide", 4);
  std::vector<std::pair<TrainerId, int>> seen;
  while (seen.size() < 4) {
    const Assign at = shell.only_sent<Assign>();
    const TrainerId trainer = shell.trial(at.trial.n).trainer;
    seen.emplace_back(trainer, at.job.ranks);
    // The other two are free when it ends; it has yet to say that it is.
    finish(shell, at, 0.5, 0, trainer);
    shell.say(trainer, Ready{trainer == "wide" ? 4 : 1});
  }

  using Seen = std::pair<TrainerId, int>;
  EXPECT_THAT(seen,
              ElementsAre(Seen("first", 1), Seen("tight", 1), Seen("first", 1), Seen("wide", 4)));
}

TEST(CoordinatorWidths, GiveATrainerThatIsTooSmallNothing) {
  Harness shell(wide_study({2, 4}));

  shell.join("t", 1);

  EXPECT_FALSE(shell.has_sent<Assign>());
}

TEST(CoordinatorWidths, CountTheGpusOfEachAttempt) {
  StudySpec spec = wide_study({1, 2}, true);
  spec.trials.parallel = 1;
  Harness shell(spec);
  shell.join("t", 2);
  Assign at = shell.only_sent<Assign>();
  EXPECT_EQ(at.job.gpus, 1);
  std::int64_t expected_us = 0;
  for (int i = 0; i < 6; ++i) {
    shell.now += 10s;
    expected_us += at.job.gpus * 10'000'000;
    finish(shell, at, 1 - 0.01 * static_cast<double>(at.trial.n));
    EXPECT_EQ(shell.state().used.gpu_us, expected_us);
    at = next(shell, 2);
    EXPECT_EQ(at.job.gpus, at.job.ranks);
  }
  EXPECT_GT(expected_us, 60'000'000) << "some had two";
  EXPECT_EQ(shell.folded().used, shell.state().used);
}

TEST(CoordinatorWidths, NarrowWhatReportsSayIsNotWorthIt) {
  StudySpec spec = wide_study({1, 2});
  spec.trials.parallel = 1;
  spec.stopping.trials = 40;
  Harness shell(spec);
  shell.join("t", 2);
  Assign at = shell.only_sent<Assign>();
  std::vector<int> widths;  // of those that go on
  for (int i = 0; i < 40 && widths.size() < 6; ++i) {
    if (at.until > 1) widths.push_back(at.job.ranks);
    // With two ranks only a tenth faster.
    finish(shell, at, 1 - 0.01 * static_cast<double>(at.trial.n), at.job.ranks == 2 ? 110 : 100);
    at = next(shell, 2);
  }

  ASSERT_EQ(widths.size(), 6u);
  EXPECT_THAT(widths, ElementsAre(2, 2, 2, 1, 1, 1)) << "three trials say so";
  EXPECT_EQ(state_hash(shell.state()), state_hash(shell.folded()));
}

TEST(CoordinatorWidths, AreInTheLogAndFoundAgain) {
  StudySpec spec = wide_study({1, 2, 4});
  Harness shell(spec);
  shell.join("t", 4);
  for (int i = 0; i < 30 && !shell.finished; ++i) {
    const auto held = shell.all_sent<Assign>();
    shell.sent.clear();
    for (const Assign& each : held) {
      finish(shell, each, 1 - 0.01 * static_cast<double>(each.trial.n), 100.0 * each.job.ranks);
    }
    shell.say("t", Ready{4});
  }
  ASSERT_EQ(shell.finished, "trials");
  EXPECT_EQ(state_hash(shell.state()), state_hash(shell.folded()));

  EXPECT_EQ(verified(shell.log(), spec).differing, 0);

  std::vector<Event> changed = shell.log();
  for (Event& event : changed) {
    auto* started = std::get_if<AttemptStarted>(&event.fact);
    if (started != nullptr && started->width->ranks == 1) {
      started->width = ChosenWidth{2, std::max(2, started->width->free)};
      break;
    }
  }
  const DecisionVerification result = verified(changed, spec);
  ASSERT_TRUE(result.first.has_value());
  EXPECT_EQ(result.first->recorded, "2 ranks");
  EXPECT_EQ(result.first->recomputed, "1 ranks");
}

TEST(CoordinatorWidths, AreHeldToByANewProcess) {
  StudySpec spec = wide_study({1, 2});
  spec.trials.parallel = 1;
  Harness shell(spec);
  shell.join("t", 2);
  Assign at = shell.only_sent<Assign>();
  while (at.until == 1) {
    finish(shell, at, 1 - 0.01 * static_cast<double>(at.trial.n));
    at = next(shell, 2);
  }
  ASSERT_EQ(at.job.slots, 2);

  shell.restart();
  shell.join("t", 2, {{at.trial, at.attempt, 0, at.from}});

  EXPECT_FALSE(shell.has_sent<Assign>()) << "the two slots are taken by what it holds";
  EXPECT_EQ(shell.trial(at.trial.n).ranks, 2);
}

TEST(CoordinatorWidths, AreRefusedWithSchedulersWithoutRungsBetween) {
  for (const char* name : {"fifo", "median-stopping"}) {
    StudySpec spec = wide_study({1, 2});
    spec.algorithm.scheduler.name = name;
    Diagnostics diagnostics;
    EXPECT_EQ(make_scheduler(spec, diagnostics), nullptr) << name;
    ASSERT_FALSE(diagnostics.ok());
    EXPECT_EQ(diagnostics.problems().front().code, "E0506");
  }
  StudySpec stops = wide_study({1, 2});
  stops.algorithm.scheduler.options = ConfigNode::from_json({{"mode", "stop"}}, "test");
  Diagnostics diagnostics;
  EXPECT_EQ(make_scheduler(stops, diagnostics), nullptr);
  EXPECT_THAT(diagnostics.problems().front().message, testing::HasSubstr("without a break"));
}

TEST(CoordinatorWidths, ThatCannotBeAreRefusedByTheFold) {
  Harness shell(wide_study({1, 2}));
  shell.join("t", 1);
  std::vector<Event> log = shell.log();
  for (Event& event : log) {
    if (auto* started = std::get_if<AttemptStarted>(&event.fact))
      started->width = ChosenWidth{2, 1};
  }

  StudyState state;
  Status status = Ok{};
  for (const Event& event : log) {
    if (status) status = apply(state, event);
  }

  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, testing::HasSubstr("2 ranks of 1 free slots"));
}

}  // namespace
}  // namespace betatune
