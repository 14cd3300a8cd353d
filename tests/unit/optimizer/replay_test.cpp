/// Studies under many searchers, whose suggestions must follow from their logs alone.

#include <cmath>
#include <deque>
#include <functional>
#include <gmock/gmock.h>

#include "optimizer/verify.hpp"
#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using betatune::test::Harness;
using betatune::test::small_study;
using ::testing::HasSubstr;
using ::testing::StartsWith;

double loss_of(const Configuration& at) {
  const double x = std::get<double>(at.at("x"));
  const auto n = static_cast<double>(std::get<std::int64_t>(at.at("n")));
  return (x - 0.3) * (x - 0.3) + 0.1 * std::abs(std::log(n / 40));
}

std::unique_ptr<StudyStore> stored(const std::vector<Event>& log) {
  auto store = make_memory_store();
  EXPECT_TRUE(store->begin_epoch());
  EXPECT_TRUE(store->append(0, log));
  return store;
}

SpecOfDocument always(const StudySpec& spec) {
  return [shared = std::make_shared<const StudySpec>(spec)](const Json&) {
    return Result<std::shared_ptr<const StudySpec>>(shared);
  };
}

Result<Verification> verified(const std::vector<Event>& log, const StudySpec& spec) {
  const auto store = stored(log);
  BETATUNE_TRY(const PlanLedger ledger, read_plans(*store));
  return verify(*store, ledger, always(spec));
}

StudySpec study_with(const std::string& searcher, std::int64_t trials) {
  StudySpec spec = small_study();
  spec.algorithm.searcher.name = searcher;
  spec.stopping.trials = trials;
  spec.trials.retry.user = 0;
  return spec;
}

/// Three slots; every seventh trial fails; a configuration is enqueued now and then; the optimizer
/// is killed with trials running and answers in hand.
std::vector<Event> eventful(const StudySpec& spec, bool restarts) {
  Harness shell(spec);
  shell.join("t", 3);
  std::deque<Assign> out;
  const auto collect = [&] {
    for (const Assign& each : shell.all_sent<Assign>()) out.push_back(each);
    shell.sent.clear();
  };
  collect();
  for (int i = 0; i < 400 && !shell.finished && !out.empty(); ++i) {
    // Not always the oldest: results come in another order than trials began.
    if (i % 3 == 1) std::swap(out.front(), out.back());
    const Assign at = out.front();
    out.pop_front();
    if (i % 9 == 4) {
      shell.give(EnqueueRequest{{{"x", 0.01 * i}, {"n", std::int64_t{1 + i}}}});
    }
    if (i % 7 == 3) {
      shell.done("t", at, 0, AttemptEnd::failed, FailureClass::user);
    } else {
      shell.report("t", at, 1, at.until, loss_of(at.params));
      shell.done("t", at, 1);
    }
    if (restarts && i % 11 == 7) {
      out.clear();
      shell.restart();
      shell.join("t", 3);
    } else {
      shell.say("t", Ready{1});
    }
    collect();
  }
  EXPECT_TRUE(shell.finished.has_value());
  return shell.log();
}

class ReplaySuite : public ::testing::TestWithParam<std::string> {};

TEST_P(ReplaySuite, FindsEverySuggestionAgain) {
  const StudySpec spec = study_with(GetParam(), 40);
  for (const bool restarts : {false, true}) {
    const std::vector<Event> log = eventful(spec, restarts);
    const auto store = stored(log);
    const auto ledger = read_plans(*store);
    ASSERT_TRUE(ledger) << ledger.error().message;

    const auto result = verify(*store, ledger.value(), always(spec));

    ASSERT_TRUE(result) << result.error().message;
    const auto& first = result.value().first;
    EXPECT_FALSE(first) << "trial " << first->trial.n << ' ' << first->what << ' '
                        << first->recorded << ' ' << first->recomputed;
    EXPECT_GE(result.value().verified, 20);
    EXPECT_GE(ledger.value().by_hand.at("enqueued"), 2);
    EXPECT_TRUE(ledger.value().unrecorded.empty());
  }
}

TEST_P(ReplaySuite, SeesAResultThatWasChangedOrAConfigurationThatWas) {
  const StudySpec spec = study_with(GetParam(), 24);
  std::vector<Event> log = eventful(spec, false);
  std::optional<TrialId> victim;
  for (Event& event : log) {
    auto* created = std::get_if<TrialCreated>(&event.fact);
    if (created == nullptr || !created->plan || created->trial.n < 10) continue;
    double& x = std::get<double>(created->configuration.at("x"));
    x = std::nextafter(x, x < 0.5 ? 1 : 0);
    victim = created->trial;
    break;
  }
  ASSERT_TRUE(victim);

  const auto result = verified(log, spec);

  ASSERT_TRUE(result) << result.error().message;
  ASSERT_TRUE(result.value().first);
  EXPECT_EQ(result.value().first->trial, *victim);
  EXPECT_EQ(result.value().first->what, "x");
  EXPECT_THAT(result.value().first->recorded, HasSubstr("0x1."));
  EXPECT_NE(result.value().first->recorded, result.value().first->recomputed);
}

INSTANTIATE_TEST_SUITE_P(All, ReplaySuite,
                         ::testing::Values("auto", "gp", "random", "sobol", "grid"),
                         [](const auto& each) { return each.param; });

TEST(Replay, SeesALossThatWasChangedAfterAModelHadLearnedFromIt) {
  const StudySpec spec = study_with("gp", 20);
  std::vector<Event> log = eventful(spec, false);
  for (Event& event : log) {
    auto* reported = std::get_if<Reported>(&event.fact);
    if (reported == nullptr || reported->trial.n != 4) continue;
    *reported->loss += 1;
    break;
  }

  const auto result = verified(log, spec);

  ASSERT_TRUE(result) << result.error().message;
  EXPECT_GT(result.value().differing, 0);
}

TEST(Replay, CountsWhatAnOlderVersionSuggestedAsNotVerifiable) {
  const StudySpec spec = study_with("random", 10);
  std::vector<Event> log = eventful(spec, false);
  for (Event& event : log) {
    if (auto* created = std::get_if<TrialCreated>(&event.fact)) created->basis.reset();
  }
  const auto store = stored(log);

  const auto ledger = read_plans(*store);

  ASSERT_TRUE(ledger);
  EXPECT_TRUE(ledger.value().plans.empty());
  EXPECT_GE(ledger.value().unrecorded.at("random"), 8);
  const auto result = verify(*store, ledger.value(), always(spec));
  ASSERT_TRUE(result);
  EXPECT_EQ(result.value().verified + result.value().differing, 0);
}

TEST(Replay, RefusesAPlanThatKnewTheFuture) {
  const StudySpec spec = study_with("random", 5);
  const std::vector<Event> log = eventful(spec, false);
  const std::vector<std::function<void(PlanBasis&)>> damages = {
      [](PlanBasis& basis) { basis.seq = 1'000'000; }, [](PlanBasis& basis) { basis.seq = 0; },
      [](PlanBasis& basis) { basis.count = 0; },
      [](PlanBasis& basis) { basis.count = 2'000'000'000; },
      [](PlanBasis& basis) { basis.trials = 1'000; }};
  for (const auto& damage : damages) {
    std::vector<Event> damaged = log;
    for (Event& event : damaged) {
      auto* created = std::get_if<TrialCreated>(&event.fact);
      if (created != nullptr && created->basis) damage(*created->basis);
    }

    const auto result = verified(damaged, spec);

    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::corrupt);
  }
}

TEST(Replay, SaysThatAnAnswerIsMissing) {
  const StudySpec spec = study_with("random", 5);
  std::vector<Event> log = eventful(spec, false);
  for (Event& event : log) {
    auto* created = std::get_if<TrialCreated>(&event.fact);
    if (created != nullptr && created->basis) created->basis->index = 99;
  }

  const auto result = verified(log, spec);

  ASSERT_TRUE(result);
  ASSERT_TRUE(result.value().first);
  EXPECT_EQ(result.value().first->what, "suggestion");
  EXPECT_EQ(result.value().first->recomputed, "32 answers");
}

TEST(Replay, ComparesOriginAndNoteToo) {
  TrialCreated recorded{TrialId{3}, {{"x", 0.5}}, "gp", 7, Json{{"log_ei", -1.5}}, PlanBasis{}};
  const Suggestion same{{{"x", 0.5}}, "gp", Json{{"log_ei", -1.5}}};

  EXPECT_FALSE(difference_of(recorded, {same}));
  EXPECT_EQ(difference_of(recorded, {{same.configuration, "local", same.note}})->what, "origin");
  EXPECT_EQ(difference_of(recorded, {{same.configuration, "gp", nullptr}})->what, "note");
  recorded.configuration = {{"y", std::int64_t{2}}};
  const auto other = difference_of(recorded, {same});
  EXPECT_EQ(other->what, "x");
  EXPECT_EQ(other->recorded, "not active");
  EXPECT_THAT(other->recomputed, StartsWith("0x1p-1"));
}

}  // namespace
}  // namespace betatune
