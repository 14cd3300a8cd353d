#include "optimizer/no_gain.hpp"

#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/local/trust_region.hpp"
#include "tests/support/coordinator_harness.hpp"
#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using betatune::test::Harness;
using betatune::test::HistoryBuilder;
using betatune::test::real;
using betatune::test::small_study;

constexpr double kNone = -1;

/// Trials that were promised these gains; kNone: nothing.
TrialTable promised(const std::vector<double>& gains) {
  HistoryBuilder study({real("x", 0, 1)});
  for (const double gain : gains) {
    Trial& trial = study.add({{"x", 0.5}}, gain < 0 ? "sobol" : "gp", TrialState::running);
    if (gain >= 0) trial.note = std::make_shared<const Json>(Json{{"gain", gain}});
  }
  return study.history().trials;
}

TEST(NoGain, IsWhenSoManyInARowPromiseLess) {
  const NoGainSpec rule{0.1, 3};

  EXPECT_FALSE(promises_no_gain(promised({}), rule));
  EXPECT_FALSE(promises_no_gain(promised({0.01, 0.02}), rule));
  EXPECT_TRUE(promises_no_gain(promised({5, 0.01, 0.02, 0}), rule));
  EXPECT_FALSE(promises_no_gain(promised({0.01, 0.02, 0.1}), rule)) << "not below";
  EXPECT_TRUE(promises_no_gain(promised({0.01, kNone, 0.02, kNone, kNone, 0.03}), rule))
      << "what nobody promised anything of does not count";
  EXPECT_FALSE(promises_no_gain(promised({kNone, kNone, kNone}), rule));
}

TEST(NoGain, OfALocalStepIsItsExpectedImprovement) {
  HistoryBuilder study({real("x", 0, 1)});
  const auto gain = [&](double predicted, double deviation) {
    Trial& trial = study.add({{"x", 0.5}}, kLocalOrigin, TrialState::running);
    const LocalNote note{0.1, predicted, deviation, 1, 0};
    trial.note = std::make_shared<const Json>(note.to_json());
    return promised_gain(trial).value_or(kNone);
  };

  EXPECT_DOUBLE_EQ(gain(0.3, 0), 0.3);
  EXPECT_NEAR(gain(0, 1), 1 / std::sqrt(2 * std::acos(-1.0)), 1e-12);
  EXPECT_GT(gain(0.3, 0.2), 0.3);
  EXPECT_LT(gain(-1, 0.1), 1e-6);
}

StudySpec study_with(double below) {
  StudySpec spec = small_study();
  spec.algorithm.searcher.name = "gp";
  spec.stopping.trials = 60;
  spec.stopping.no_gain = NoGainSpec{below, 5};
  return spec;
}

/// One trial after the other, of a bowl.
void run(Harness& shell) {
  shell.join("t");
  for (int i = 0; i < 100 && !shell.finished; ++i) {
    const Assign at = shell.only_sent<Assign>();
    const double x = std::get<double>(at.params.at("x"));
    shell.finish_trial("t", at, (x - 0.3) * (x - 0.3));
  }
}

TEST(NoGain, EndsAStudyThatHasFoundItsMinimum) {
  Harness shell(study_with(1e-5));

  run(shell);

  EXPECT_EQ(shell.finished, "no_gain");
  EXPECT_LT(shell.state().trials.size(), 50u);
  EXPECT_LT(shell.state().trials[*shell.state().best].standing->loss, 1e-5);
  EXPECT_TRUE(promises_no_gain(shell.state().trials, NoGainSpec{1e-5, 5}));
}

TEST(NoGain, GoesOnIfLessIsAskedFor) {
  Harness first(study_with(1e-3));
  run(first);
  ASSERT_EQ(first.finished, "no_gain");
  const std::size_t before = first.state().trials.size();

  Harness again(study_with(1e-12), first.log());
  run(again);

  EXPECT_GT(again.state().trials.size(), before);
}

TEST(NoGain, StaysEndedUnderTheSameRule) {
  Harness shell(study_with(1e-3));
  run(shell);
  ASSERT_EQ(shell.finished, "no_gain");
  const std::size_t before = shell.state().trials.size();

  shell.restart();

  EXPECT_EQ(shell.finished, "no_gain");
  EXPECT_EQ(shell.state().trials.size(), before);
}

}  // namespace
}  // namespace betatune
