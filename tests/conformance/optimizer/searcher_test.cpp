// What every searcher promises (optimizer/searcher.hpp), held to whatever is registered.

#include "optimizer/searcher.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <set>

#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

HistoryBuilder mixed_study(std::uint64_t seed = 1) {
  auto momentum = when(real("momentum", 0, 0.99), "optimizer == sgd");
  auto beta = when(real("beta", 0.8, 0.999), "optimizer in [adam, lamb]");
  Parameter width{
      "width",
      Ordinal{{Value{std::int64_t{32}}, Value{std::int64_t{64}}, Value{std::int64_t{256}}}},
      std::nullopt, std::nullopt};
  Parameter clip{"clip", Real{0, 2, Scale::linear, 0.25}, std::nullopt, std::nullopt};
  return HistoryBuilder({real("lr", 1e-5, 1, Scale::log), integer("layers", 1, 40),
                         choice("optimizer", {Value{"sgd"}, Value{"adam"}, Value{"lamb"}}),
                         momentum, beta, width, clip},
                        {"layers * width <= 4096"}, seed);
}

HistoryBuilder finite_study() {
  return HistoryBuilder({integer("a", 0, 3), choice("b", {Value{"x"}, Value{"y"}, Value{"z"}}),
                         when(integer("c", 0, 1), "b == x")});
}
// b == x: 4 * 2; y, z: 4 each.
constexpr int kFiniteSize = 16;

double loss_of(const Configuration& configuration) {
  double sum = 0;
  for (const auto& [name, value] : configuration) {
    double number = 0;
    sum +=
        to_number(value, &number) ? std::sin(number) : static_cast<double>(to_text(value).size());
  }
  return sum;
}

Key plan(std::size_t n) {
  return fold_in(fold_in(root_key(11), "plan"), n);
}

class SearcherSuite : public testing::TestWithParam<std::string> {
 protected:
  /// Checks the promises of one answer, and returns it.
  static std::vector<Suggestion> ask(const HistoryBuilder& study, const Searcher& searcher,
                                     int count, std::size_t n) {
    const auto suggestions = searcher.suggest(study.history(), count, plan(n));
    EXPECT_LE(std::ssize(suggestions), count);
    std::set<Configuration> seen(study.history().queued.begin(), study.history().queued.end());
    for (const Trial& trial : study.history().trials) seen.insert(*trial.configuration);
    for (const Suggestion& each : suggestions) {
      const Status valid = study.space().check(each.configuration);
      EXPECT_TRUE(valid) << valid.error().message;
      EXPECT_TRUE(seen.insert(each.configuration).second) << "suggested again";
      EXPECT_FALSE(each.origin.empty());
    }
    return suggestions;
  }
  static std::vector<Configuration> configurations(const std::vector<Suggestion>& suggestions) {
    std::vector<Configuration> out;
    for (const Suggestion& each : suggestions) out.push_back(each.configuration);
    return out;
  }
};

TEST_P(SearcherSuite, SuggestsValidNewConfigurationsOfAMixedConditionalConstrainedSpace) {
  HistoryBuilder study = mixed_study();
  const auto searcher = study.searcher(GetParam());
  for (std::size_t n = 0; n < 30; ++n) {
    const auto suggestions = ask(study, *searcher, 1 + static_cast<int>(n % 3), n);
    ASSERT_FALSE(suggestions.empty());
    for (const Suggestion& each : suggestions) {
      study.add_result(each, loss_of(each.configuration));
    }
  }
}

TEST_P(SearcherSuite, EqualHistoriesAndKeysGiveEqualSuggestionsColdOrWarm) {
  HistoryBuilder study = mixed_study();
  const auto warm = study.searcher(GetParam());
  for (std::size_t n = 0; n < 40; ++n) {
    const auto from_warm = ask(study, *warm, 2, n);
    // A new searcher has no cache. Every third step keeps the test short.
    if (n % 3 == 0) {
      const auto cold = study.searcher(GetParam());
      ASSERT_EQ(configurations(from_warm), configurations(ask(study, *cold, 2, n))) << n;
    }
    // Trials end out of order: one now, one later.
    const TrialId first = study.add(from_warm[0], TrialState::running).id;
    const TrialId second = study.add(from_warm[1], TrialState::running).id;
    study.finish(second, loss_of(from_warm[1].configuration));
    if (n % 2 == 0) study.finish(first, loss_of(from_warm[0].configuration));
    if (n >= 3 && n % 4 == 3) study.finish(TrialId{first.n - 4}, static_cast<double>(n));
  }
}

TEST_P(SearcherSuite, GivesWhatIsLeftOfAFiniteSpaceThenNothing) {
  HistoryBuilder study = finite_study();
  const auto searcher = study.searcher(GetParam());
  int found = 0;
  for (std::size_t n = 0; n < 2 * kFiniteSize && found < kFiniteSize; ++n) {
    for (const Suggestion& each : ask(study, *searcher, 1, n)) {
      study.add_result(each, loss_of(each.configuration));
      ++found;
    }
  }
  EXPECT_EQ(found, kFiniteSize);
  EXPECT_TRUE(ask(study, *searcher, 3, 99).empty());
}

TEST_P(SearcherSuite, AskedForMoreThanRemainGivesAllThatRemain) {
  HistoryBuilder study = finite_study();
  const auto searcher = study.searcher(GetParam());
  for (const Suggestion& each : ask(study, *searcher, 10, 0)) {
    study.add_result(each, 1);
  }
  EXPECT_EQ(std::ssize(ask(study, *searcher, 50, 1)), kFiniteSize - 10);
}

TEST_P(SearcherSuite, QueuedAndRunningConfigurationsAreSpokenFor) {
  HistoryBuilder study = finite_study();
  const auto searcher = study.searcher(GetParam());
  const auto first = ask(study, *searcher, 12, 0);
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (i % 2 == 0) {
      study.add_running(first[i].configuration);
    } else {
      study.edit().queued.push_back(first[i].configuration);
    }
  }
  EXPECT_EQ(std::ssize(ask(study, *searcher, 20, 1)), kFiniteSize - 12);
}

TEST_P(SearcherSuite, LivesWithFailuresTiesAndHugeLosses) {
  HistoryBuilder study = mixed_study();
  const auto searcher = study.searcher(GetParam());
  constexpr double kHuge = std::numeric_limits<double>::max();
  for (std::size_t n = 0; n < 36; ++n) {
    const auto suggestions = ask(study, *searcher, 1, n);
    ASSERT_FALSE(suggestions.empty());
    const Configuration& it = suggestions[0].configuration;
    switch (n % 6) {
      case 0:
        study.add_failure(it, FailureClass::diverged);
        break;
      case 1:
        study.add_failure(it, FailureClass::infra);
        break;
      case 2:
        study.add_result(it, "test", 1e300);
        break;
      case 3:
        study.add_result(it, "test", n > 20 ? -kHuge : 1);
        break;
      case 4:
        study.add_result(it, "test", n > 20 ? kHuge : 1);
        break;
      default:
        study.add_running(it);
        break;
    }
  }
}

TEST_P(SearcherSuite, LivesWithNothingButFailures) {
  HistoryBuilder study = mixed_study();
  const auto searcher = study.searcher(GetParam());
  for (std::size_t n = 0; n < 30; ++n) {
    const auto suggestions = ask(study, *searcher, 1, n);
    ASSERT_FALSE(suggestions.empty());
    study.add_failure(suggestions[0].configuration, FailureClass::user);
  }
  EXPECT_FALSE(searcher->recommend(study.history()));
}

TEST_P(SearcherSuite, LivesWithEqualLosses) {
  HistoryBuilder study = mixed_study();
  const auto searcher = study.searcher(GetParam());
  for (std::size_t n = 0; n < 25; ++n) {
    const auto suggestions = ask(study, *searcher, 1, n);
    ASSERT_FALSE(suggestions.empty());
    study.add_result(suggestions[0], 0.25);
  }
}

TEST_P(SearcherSuite, ASpaceWithoutParametersHasOneConfiguration) {
  HistoryBuilder study({Parameter{"depth", Constant{Value{std::int64_t{3}}}, {}, {}}});
  const auto searcher = study.searcher(GetParam());
  const auto suggestions = ask(study, *searcher, 2, 0);
  ASSERT_EQ(suggestions.size(), 1u);
  study.add_result(suggestions[0], 1);
  EXPECT_TRUE(ask(study, *searcher, 1, 1).empty());
}

TEST_P(SearcherSuite, RecommendsAConfigurationThatWasTried) {
  HistoryBuilder study = mixed_study();
  const auto searcher = study.searcher(GetParam());
  EXPECT_FALSE(searcher->recommend(study.history()));
  std::set<Configuration> tried;
  for (const Suggestion& each : ask(study, *searcher, 12, 0)) {
    study.add_result(each, loss_of(each.configuration));
    tried.insert(each.configuration);
    const auto recommended = searcher->recommend(study.history());
    ASSERT_TRUE(recommended);
    EXPECT_TRUE(tried.contains(*recommended));
  }
}

/// What a short training came to says little of a whole one, however low it is.
TEST_P(SearcherSuite, RecommendsOneThatWasTrainedFurthest) {
  HistoryBuilder study({real("x", 0, 1)});
  study.spec().fidelity = FidelitySpec{"epoch", 1, 9, true};
  const auto searcher = study.searcher(GetParam());
  const auto train = [&](double x, Step until, double loss) {
    const TrialId id = study.add({{"x", x}}, "test", TrialState::running).id;
    study.finish(id, loss, until);
    if (until == 9) {
      auto& reported = study.edit().trials.edit(id).observations;
      reported.insert(reported.begin(), {1, AttemptId{1}, loss + 1, false, 0});
    }
  };
  for (const double x : {0.3, 0.5, 0.7, 0.9}) train(x, 9, x);
  for (const double x : {0.1, 0.6, 0.8}) train(x, 1, x == 0.1 ? -3 : 2);

  const auto recommended = searcher->recommend(study.history());

  ASSERT_TRUE(recommended);
  EXPECT_DOUBLE_EQ(number(*recommended, "x"), 0.3);
}

TEST_P(SearcherSuite, ManyAtOnceAreDistinct) {
  HistoryBuilder study = mixed_study();
  const auto searcher = study.searcher(GetParam());
  for (const Suggestion& each : ask(study, *searcher, 20, 0)) {
    study.add_result(each, loss_of(each.configuration));
  }
  EXPECT_EQ(std::ssize(ask(study, *searcher, 16, 1)), 16);
}

/// Random search and the likes of it look everywhere alike; those that learn must learn this too.
bool learns(const std::string& searcher) {
  return searcher != "random" && searcher != "sobol" && searcher != "grid";
}

TEST_P(SearcherSuite, LooksWhereLimitsAreMet) {
  if (!learns(GetParam())) GTEST_SKIP() << "it does not learn";
  // The loss falls towards x = y = 1, where the limit x + y <= 0.8 is broken most.
  HistoryBuilder study({real("x", 0, 1), real("y", 0, 1)});
  study.limit("sum");
  const auto searcher = study.searcher(GetParam());
  // A model looks for the limit itself, on both sides of it: by a hair, not by far.
  constexpr double kBorder = 0.02;
  int met = 0, late = 0;
  for (std::size_t n = 0; n < 90; ++n) {
    const auto suggestions = ask(study, *searcher, 1, n);
    ASSERT_FALSE(suggestions.empty());
    const Configuration& it = suggestions[0].configuration;
    const double sum = number(it, "x") + number(it, "y");
    const TrialId id = study.add(suggestions[0], TrialState::running).id;
    study.finish_with(id, -sum, {sum - 0.8});
    if (n < 50) continue;
    ++late;
    if (sum <= 0.8 + kBorder) ++met;
  }
  // A third of the square meets it; a search that follows the loss alone has none that does.
  EXPECT_GT(met, late / 3) << met << " of " << late;
  const auto recommended = searcher->recommend(study.history());
  ASSERT_TRUE(recommended);
  EXPECT_LE(number(*recommended, "x") + number(*recommended, "y"), 0.8);
}

TEST_P(SearcherSuite, LooksWhereAFrontOfSeveralObjectivesIs) {
  if (!learns(GetParam())) GTEST_SKIP() << "it does not learn";
  // The front is all of y = 0: x trades one objective against the other.
  HistoryBuilder study({real("x", 0, 1), real("y", 0, 1)});
  study.spec().objectives = {{"a", Goal::minimize, {}, {}}, {"b", Goal::minimize, {}, {}}};
  const auto searcher = study.searcher(GetParam());
  double late = 0, lowest = 1, highest = 0;
  for (std::size_t n = 0; n < 70; ++n) {
    const auto suggestions = ask(study, *searcher, 1, n);
    ASSERT_FALSE(suggestions.empty());
    const double x = number(suggestions[0].configuration, "x");
    const double y = number(suggestions[0].configuration, "y");
    const TrialId id = study.add(suggestions[0], TrialState::running).id;
    study.finish_with(id, x + y, {(1 - x) * (1 - x) + y});
    if (n < 40) continue;
    late += y / 30;
    lowest = std::min(lowest, x);
    highest = std::max(highest, x);
  }
  EXPECT_LT(late, 0.4) << "of draws it would be a half";
  EXPECT_GT(highest - lowest, 0.3) << "a front has a length";
}

TEST_P(SearcherSuite, LivesWithLimitsThatNothingMeetsOrNobodyKnows) {
  HistoryBuilder study = mixed_study();
  study.limit("a");
  study.limit("b");
  const auto searcher = study.searcher(GetParam());
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t n = 0; n < 36; ++n) {
    const auto suggestions = ask(study, *searcher, 1, n);
    ASSERT_FALSE(suggestions.empty());
    const TrialId id = study.add(suggestions[0], TrialState::running).id;
    const double loss = loss_of(suggestions[0].configuration);
    if (n % 7 == 6) {
      study.fail(id, FailureClass::oom);
    } else if (n % 5 == 4) {
      study.finish_with(id, loss, {kUnknown, -1});
    } else {
      study.finish_with(id, loss, {n % 2 == 0 ? 1e300 : 1.0 + loss, n % 3 == 0 ? -1e300 : 0});
    }
  }
}

TEST_P(SearcherSuite, AThousandTrialsAreNoBurden) {
  HistoryBuilder study = mixed_study();
  const auto random = study.searcher("random");
  for (const Suggestion& each : random->suggest(study.history(), 1000, root_key(5))) {
    study.add_result(each, loss_of(each.configuration));
  }
  const auto searcher = study.searcher(GetParam());
  EXPECT_EQ(std::ssize(ask(study, *searcher, 2, 0)), 2);
}

std::vector<std::string> registered() {
  std::vector<std::string> names;
  for (const auto& [name, summary] : SearcherRegistry::list()) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Registered, SearcherSuite, testing::ValuesIn(registered()),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace betatune
