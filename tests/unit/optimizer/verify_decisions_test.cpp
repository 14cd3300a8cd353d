// What schedulers decided must follow from the log alone.

#include "optimizer/verify_decisions.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optimizer/scheduler.hpp"
#include "tests/support/scheduler_world.hpp"
#include "tests/support/verified_decisions.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::SchedulerWorld;
using support::WorldShape;
using test::verified;
using testing::HasSubstr;

std::vector<Event> played(const StudySpec& spec) {
  WorldShape shape;
  shape.trials = 40;
  shape.slots = 4;
  shape.failing = 0.03;
  SchedulerWorld world(spec, shape);
  world.run();
  return world.log();
}

class VerifyDecisions : public testing::TestWithParam<std::string> {};

TEST_P(VerifyDecisions, FindsEveryDecisionAgain) {
  const StudySpec spec = fidelity_spec(1, 27, GetParam());
  const DecisionVerification result = verified(played(spec), spec);

  EXPECT_GE(result.verified, 40);
  EXPECT_EQ(result.differing, 0) << result.first->recorded << "; " << result.first->recomputed
                                 << ": trial " << result.first->trial.n << " attempt "
                                 << result.first->attempt.n;
}

TEST_P(VerifyDecisions, SeesThatALogIsOfAnotherScheduler) {
  const std::string other = GetParam() == "fifo" ? "asha" : "fifo";
  const StudySpec spec = fidelity_spec(1, 27, GetParam());
  if (GetParam() == "median-stopping" && other == "fifo") {
    // It starts trials as fifo does, and differs in whom it stops.
    EXPECT_GT(verified(played(fidelity_spec(1, 27, "asha")), spec).differing, 0);
    return;
  }
  EXPECT_GT(verified(played(fidelity_spec(1, 27, other)), spec).differing, 0);
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, summary] : SchedulerRegistry::list()) all.push_back(name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, VerifyDecisions, testing::ValuesIn(names()), [](const auto& each) {
  std::string name = each.param;
  std::erase(name, '-');
  return name;
});

TEST(VerifyDecisions, NamesTheFirstThatDiffers) {
  const StudySpec spec = fidelity_spec(1, 27, "asha");
  std::vector<Event> log = played(spec);
  // Somebody does not like the first trial that went on.
  const auto promoted = std::ranges::find_if(log, [](const Event& event) {
    const auto* started = std::get_if<AttemptStarted>(&event.fact);
    return started != nullptr && started->until == 3;
  });
  ASSERT_NE(promoted, log.end());
  const TrialId victim = std::get<AttemptStarted>(promoted->fact).trial;
  for (Event& event : log) {
    auto* report = std::get_if<Reported>(&event.fact);
    if (report != nullptr && report->trial == victim) report->loss = 1e6;
  }

  const DecisionVerification result = verified(log, spec);

  ASSERT_GT(result.differing, 0);
  EXPECT_EQ(result.first->trial, victim);
  EXPECT_THAT(result.first->recorded, HasSubstr("goes on to step 3"));
  EXPECT_NE(result.first->recorded, result.first->recomputed);
}

TEST(VerifyDecisions, GoesOnUnderAStudyFileThatWasChanged) {
  const StudySpec spec = fidelity_spec(1, 27, "asha");
  std::vector<Event> log = played(spec);
  const Json document = std::get<StudyCreated>(log.front().fact).document;
  const std::size_t at = log.size() / 2;
  log.insert(log.begin() + static_cast<std::ptrdiff_t>(at), Event{0, 0, DocumentChanged{document}});
  for (std::size_t i = 0; i < log.size(); ++i) log[i].seq = i + 1;

  EXPECT_EQ(verified(log, spec).differing, 0);
}

}  // namespace
}  // namespace betatune
