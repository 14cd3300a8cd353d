// The weights of Hyper-Tune's brackets against numbers worked out by hand from the paper
// (arXiv:2201.06834, section 4.1), and the scheduler that draws by them.

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optimizer/schedulers/bracket_weights.hpp"
#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::scheduler_of;
using support::SchedulerWorld;
using support::WorldShape;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kRounding = 1e-12;

Eigen::VectorXd vector(std::initializer_list<double> values) {
  Eigen::VectorXd out(std::ssize(values));
  std::copy(values.begin(), values.end(), out.begin());
  return out;
}

TEST(RankingLoss, CountsOrderedPairsThatStandInAnotherOrder) {
  EXPECT_EQ(ranking_loss(vector({1, 2, 3}), vector({10, 20, 30})), 0);
  EXPECT_EQ(ranking_loss(vector({1, 3, 2}), vector({10, 20, 30})), 2);
  EXPECT_EQ(ranking_loss(vector({3, 2, 1}), vector({10, 20, 30})), 6);
}

// Of two equal results one order is right, whichever it is, and it counts once.
TEST(RankingLoss, TakesOneOfTwoEqualResultsForWrong) {
  EXPECT_EQ(ranking_loss(vector({1, 2, 3}), vector({5, 5, 9})), 1);
  EXPECT_EQ(ranking_loss(vector({2, 1, 3}), vector({5, 5, 9})), 1);
}

TEST(BracketWeights, ShareADrawAmongTheRungsThatTie) {
  RowMatrix losses(3, 4);
  losses << 0, 2, 1, 4,  //
      2, 0, 1, 4,        //
      5, 5, 5, 4;

  // One draw of its own each, half of the third, a third of the fourth.
  EXPECT_THAT(shares_of_lowest(losses), ElementsAre(DoubleNear((1.5 + 1.0 / 3) / 4, kRounding),
                                                    DoubleNear((1.5 + 1.0 / 3) / 4, kRounding),
                                                    DoubleNear(1.0 / 12, kRounding)));
}

// R = 27, eta = 3: 27 trials begin at step 1, 9 at 3, 6 at 9, 4 at 27.
TEST(BracketWeights, BeginAsHyperbandsTable) {
  EXPECT_THAT(hyperband_shares(4, 3), ElementsAre(27.0 / 46, 9.0 / 46, 6.0 / 46, 4.0 / 46));
}

TEST(BracketWeights, WeighReliabilityByPrice) {
  const std::vector<Step> levels = {1, 3, 9};

  // 0 : 0.25 / 3 : 0.75 / 9
  EXPECT_THAT(bracket_weights(std::vector{0.0, 0.25, 0.75}, levels, {0.6, 0.2, 0.2}),
              ElementsAre(0, DoubleNear(0.5, kRounding), DoubleNear(0.5, kRounding)));
}

TEST(BracketWeights, LeaveTheRungsAboveTheMeasuredOnesWhatTheyHad) {
  const std::vector<Step> levels = {1, 3, 9};

  // 0.2 / 1 : 0.8 / 3 = 3 : 4, of 0.8 together.
  EXPECT_THAT(
      bracket_weights(std::vector{0.2, 0.8}, levels, {0.6, 0.2, 0.2}),
      ElementsAre(DoubleNear(0.8 * 3 / 7, kRounding), DoubleNear(0.8 * 4 / 7, kRounding), 0.2));
  EXPECT_THAT(bracket_weights({}, levels, {0.6, 0.2, 0.2}), ElementsAre(0.6, 0.2, 0.2));
}

TEST(BracketWeights, AreDrawnFromInOrder) {
  const std::vector<double> weights = {0.5, 0, 0.5 - 1e-9};

  EXPECT_EQ(draw_rung(weights, 0), 0u);
  EXPECT_EQ(draw_rung(weights, 0.49), 0u);
  EXPECT_EQ(draw_rung(weights, 0.5), 2u);
  EXPECT_EQ(draw_rung(weights, 1 - 1e-10), 2u) << "rounding must not end beyond the last rung";
}

/// Two rungs with results of the same trials, evenly over the space.
std::vector<double> reliability_of(const std::function<double(double, std::size_t rung)>& loss,
                                   std::size_t trials) {
  const StudySpec spec = fidelity_spec(1, 9, "hyper-tune");
  std::vector<RungMeasurement> measured;
  RowMatrix points(2 * static_cast<Eigen::Index>(trials), 1);
  for (std::size_t i = 0; i < 2 * trials; ++i) {
    // Over the space in another order than along it, so that every fold is spread.
    const double x = std::fmod(0.618 * static_cast<double>(i / 2), 1.0);
    points(static_cast<Eigen::Index>(i), 0) = x;
    measured.push_back({TrialId{i / 2}, i % 2, loss(x, i % 2), 0});
  }
  return rung_reliability(FeatureMap(spec.space.columns()), spec.space.columns(), measured, points,
                          root_key(1));
}

TEST(RungReliability, TrustsALowRungThatHasTheOrder) {
  const auto theta = reliability_of(
      [](double x, std::size_t rung) { return std::sin(9 * x) + (rung == 0 ? 3 : 0); }, 14);

  ASSERT_EQ(theta.size(), 2u);
  EXPECT_GT(theta[0], 0.8);
}

TEST(RungReliability, DoesNotTrustOneThatTurnsItRound) {
  const auto theta = reliability_of(
      [](double x, std::size_t rung) { return (rung == 0 ? -1 : 1) * std::sin(9 * x); }, 14);

  ASSERT_EQ(theta.size(), 2u);
  EXPECT_EQ(theta[0], 0);
  EXPECT_EQ(theta[1], 1);
}

TEST(RungReliability, WaitsForEnoughResults) {
  const auto loss = [](double x, std::size_t) { return x; };

  EXPECT_TRUE(reliability_of(loss, kLeastMeasured - 1).empty());
  EXPECT_EQ(reliability_of(loss, kLeastMeasured).size(), 2u);
}

/// Trials all over the space; at the first rung in the order of the end, or in the opposite one.
WorldShape shape(bool in_order) {
  WorldShape out;
  out.trials = 120;
  out.slots = 4;
  out.failing = 0.01;
  const auto place = [](TrialId trial) {
    return std::fmod(0.618 * static_cast<double>(trial.n), 1.0);
  };
  out.configuration = [place](TrialId trial) {
    return Configuration{{"x", 0.01 * std::pow(100, place(trial))}};
  };
  out.loss = [place, in_order](TrialId trial, Step step) {
    const double end = std::sin(9 * place(trial));
    return (step < 3 && !in_order ? -end : end) + 1 / static_cast<double>(step);
  };
  return out;
}

double share_of_first_rung(const SchedulerWorld& world) {
  const std::string text = world.scheduler().outlook(world.state());
  EXPECT_THAT(text, HasSubstr("learned from"));
  double percent = -1;
  EXPECT_EQ(std::sscanf(text.c_str(), "a new trial begins with 1 (%lf", &percent), 1) << text;
  return percent / 100;
}

TEST(HyperTune, BeginsMoreTrialsWhereTheOrderCanBeTrusted) {
  SchedulerWorld trusted(fidelity_spec(1, 27, "hyper-tune"), shape(true));
  SchedulerWorld misled(fidelity_spec(1, 27, "hyper-tune"), shape(false));
  trusted.run();
  misled.run();

  EXPECT_GT(share_of_first_rung(trusted), 0.8);
  EXPECT_LT(share_of_first_rung(misled), 0.3);
}

TEST(HyperTune, DrawsAsHyperbandUntilItKnowsBetter) {
  WorldShape nothing;
  nothing.trials = 230;
  nothing.configuration = [](TrialId) { return Configuration{{"x", 7.0}}; };  // has no place
  SchedulerWorld world(fidelity_spec(1, 27, "hyper-tune"), nothing);
  world.run();

  std::map<Step, int> begun;
  for (const Event& event : world.log()) {
    const auto* started = std::get_if<AttemptStarted>(&event.fact);
    if (started != nullptr && started->attempt.n == 1) ++begun[started->until];
  }

  // 135, 45, 30 and 20 are expected; three standard deviations of those are 22, 18, 15 and 13.
  EXPECT_NEAR(begun[1], 135, 22);
  EXPECT_NEAR(begun[3], 45, 18);
  EXPECT_NEAR(begun[9], 30, 15);
  EXPECT_NEAR(begun[27], 20, 13);
}

// As soon as it could know better, it still does not look.
TEST(HyperTune, IsAsynchronousHyperbandIfToldSo) {
  const StudySpec spec = fidelity_spec(1, 27, "hyper-tune", Json{{"weights", "hyperband"}});
  SchedulerWorld world(spec, shape(false));
  world.run();

  EXPECT_EQ(
      world.scheduler().outlook(world.state()),
      "a new trial begins with 1 (59 %), 3 (20 %), 9 (13 %), 27 (9 %) steps, drawn by weights "
      "as in Hyperband");
}

// Every newcomer is the best so far: asha promotes each of them (get_job of its paper).
TEST(HyperTune, LetsNoMoreThanAThirdOfARungGoOn) {
  const StudySpec spec = fidelity_spec(1, 9, "hyper-tune", Json{{"weights", "hyperband"}});
  WorldShape falling;
  falling.trials = 60;
  falling.loss = [](TrialId trial, Step) { return -static_cast<double>(trial.n); };
  SchedulerWorld world(spec, falling);
  world.run();

  std::map<Step, std::size_t> results, gone_on;  // by rung
  for (const Event& event : world.log()) {
    if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) ++results[ended->step];
    const auto* started = std::get_if<AttemptStarted>(&event.fact);
    if (started == nullptr || started->attempt.n == 1) continue;
    const Step from = started->until / 3;
    EXPECT_LE(3 * ++gone_on[from], results[from]) << "event " << event.seq;
  }
  EXPECT_EQ(gone_on[1], results[1] / 3);
  EXPECT_EQ(gone_on[3], results[3] / 3);
}

/// What a scheduler that has read the log answers in the end.
TEST(HyperTune, DecidesTheSameFromTheLogHoweverOftenItWasAsked) {
  SchedulerWorld world(fidelity_spec(1, 27, "hyper-tune"), shape(true));
  world.run();

  StudyState state;
  const auto asked_once = scheduler_of(fidelity_spec(1, 27, "hyper-tune"));
  for (const Event& event : world.log()) {
    ASSERT_TRUE(apply(state, event));
    asked_once->observe(state, event);
  }

  EXPECT_EQ(asked_once->outlook(state), world.scheduler().outlook(world.state()));
  EXPECT_EQ(std::get<StartNew>(*asked_once->next(state, true)).until,
            std::get<StartNew>(*world.scheduler().next(world.state(), true)).until);
}

}  // namespace
}  // namespace betatune
