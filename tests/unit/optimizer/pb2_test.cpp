// Population-based bandits: the kernel, the posterior and the bounds against values computed
// elsewhere, what the log says that trainings gained, and what comes of it.

#include "optimizer/pbt/pb2.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "optimizer/cli/explanation_text.hpp"
#include "optimizer/verify_decisions.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::scheduler_of;
using support::SchedulerWorld;
using support::WorldShape;
using test::expect_gradient;
using testing::HasSubstr;

// ---- the process ----

const std::vector<Column>& two_numbers() {
  static const std::vector<Column> columns(2);
  return columns;
}

TimedFeatures timed(const FeatureMap& map, const std::vector<std::array<double, 3>>& rows) {
  RowMatrix points(std::ssize(rows), 2);
  TimedFeatures out{{}, Eigen::VectorXd(std::ssize(rows))};
  for (Eigen::Index i = 0; i < std::ssize(rows); ++i) {
    const auto& row = rows[static_cast<std::size_t>(i)];
    points.row(i) << row[0], row[1];
    out.times[i] = row[2];
  }
  out.features = map.map(points);
  return out;
}

/// Four results of two numbers. What is expected of them is from numpy 2 in double precision:
///   K(a, b) = 1.7 exp(-sum(((a.x - b.x) / l)^2) / 2) (1 - 0.2)^(|a.t - b.t| / 2), l = (0.3, 0.9)
///   A = K(X, X) + 0.05 I
///   log p = -y A^-1 y / 2 - log det A / 2 - 2 log(2 pi)
///   mean = K(Z, X) A^-1 y, variance = 1.7 - diag(K(Z, X) A^-1 K(X, Z))
struct FourResults {
  FeatureMap map{two_numbers()};
  TimedFeatures points = timed(map, {{.1, .8, 0}, {.4, .3, 1}, {.9, .5, 1}, {.2, .2, 3}});
  Eigen::VectorXd y = Eigen::Vector4d(-1, .4, 1.1, -.5);
  DriftHyperparameters at{{Eigen::Vector2d(.3, .9), .05, 1.7}, .2};
  TimedFeatures elsewhere = timed(map, {{.5, .5, 4}, {.15, .25, 4}});
};

TEST(DriftKernel, IsTheFormula) {
  const FourResults it;

  const RowMatrix k = drift_kernel(it.map, it.at, it.points, it.points, false);

  EXPECT_NEAR(k(0, 1), 0.79036176160949434, 1e-14);
  EXPECT_NEAR(k(0, 3), 0.92139647361858534, 1e-14);
  EXPECT_NEAR(k(1, 2), 0.41356027973713833, 1e-14);
  EXPECT_EQ(k(2, 1), k(1, 2));
  EXPECT_EQ(k(0, 0), 1.7);
}

TEST(DriftKernel, ForgetsTheMoreTheLongerAgo) {
  const FourResults it;
  const TimedFeatures one = timed(it.map, {{.5, .5, 0}});
  const TimedFeatures later = timed(it.map, {{.5, .5, 0}, {.5, .5, 2}, {.5, .5, 4}});

  const RowMatrix k = drift_kernel(it.map, it.at, one, later, false);

  // Epsilon is what one unit of time takes of the covariance's square.
  EXPECT_NEAR(k(0, 1) / k(0, 0), 1 - .2, 1e-14);
  EXPECT_NEAR(k(0, 2) / k(0, 0), (1 - .2) * (1 - .2), 1e-14);
}

TEST(DriftLikelihood, IsTheFormula) {
  const FourResults it;

  EXPECT_NEAR(drift_log_likelihood({it.map, it.points, it.y}, it.at, nullptr), -5.1709028346465988,
              1e-12);
}

TEST(DriftLikelihood, HasTheGradientOfItsDifferences) {
  const FourResults it;
  const DriftData data{it.map, it.points, it.y};
  Eigen::VectorXd gradient, prior;
  drift_log_likelihood(data, it.at, &gradient);
  drift_log_prior(it.at, &prior);

  expect_gradient(
      [&](const Eigen::VectorXd& x) {
        return drift_log_likelihood(data, DriftHyperparameters::from_logs(x), nullptr);
      },
      it.at.to_logs(), gradient);
  expect_gradient(
      [](const Eigen::VectorXd& x) {
        return drift_log_prior(DriftHyperparameters::from_logs(x), nullptr);
      },
      it.at.to_logs(), prior);
}

TEST(DriftHyperparameters, ComeBackFromTheirLogarithms) {
  const FourResults it;

  const DriftHyperparameters back = DriftHyperparameters::from_logs(it.at.to_logs());

  EXPECT_NEAR(back.forgetting, it.at.forgetting, 1e-15);
  EXPECT_NEAR(back.place.noise, it.at.place.noise, 1e-15);
}

/// A function that drifts: what is known of it far back is worth little.
TEST(DriftFit, FindsThatTheFunctionDriftsOrDoesNot) {
  const FeatureMap map(two_numbers());
  const auto forgetting_of = [&](double drift) {
    std::vector<std::array<double, 3>> rows;
    Eigen::VectorXd y(60);
    Stream stream(root_key(1));
    for (Eigen::Index i = 0; i < y.size(); ++i) {
      const double t = static_cast<double>(i) / 6, x = stream.uniform();
      rows.push_back({x, 0.5, t});
      y[i] = 1.4 * std::cos(6 * x + drift * t);
    }
    const TimedFeatures points = timed(map, rows);
    return fit_drift({map, points, y}).forgetting;
  };

  EXPECT_LT(forgetting_of(0), 0.01);
  EXPECT_GT(forgetting_of(1), 0.1);
}

TEST(DriftProcess, PredictsAsTheFormula) {
  const FourResults it;
  const DriftProcess process(it.map, it.at, it.points, it.y);

  const DriftProcess::Beliefs found = process.predict(it.elsewhere);

  EXPECT_NEAR(found.mean[0], 0.37546314870245351, 1e-13);
  EXPECT_NEAR(found.mean[1], -0.55122232342085942, 1e-13);
  EXPECT_NEAR(found.variance[0], 0.89117463589765911, 1e-13);
  EXPECT_NEAR(found.variance[1], 0.40373560539647713, 1e-13);
}

TEST(DriftProcess, TakesVarianceAwayForWhatIsPendingAndLeavesTheMean) {
  const FourResults it;
  DriftProcess process(it.map, it.at, it.points, it.y);
  const DriftProcess::Beliefs before = process.predict(it.elsewhere);

  process.append_pending(timed(it.map, {{.2, .3, 4}}));

  // numpy: the same formula with the fifth point, of noise 1e-6.
  const DriftProcess::Beliefs after = process.predict(it.elsewhere);
  EXPECT_EQ(after.mean, before.mean);
  EXPECT_NEAR(after.variance[0], 0.74071392267919478, 1e-12);
  EXPECT_NEAR(after.variance[1], 0.039688918917993199, 1e-12);
}

TEST(UpperBounds, AreTheFormula) {
  const FourResults it;
  const DriftProcess process(it.map, it.at, it.points, it.y);

  // numpy: sqrt(max(0, 0.2 log(0.4 n))), and mean + that of 10 sqrt(variance).
  EXPECT_EQ(ucb_weight(2), 0);
  EXPECT_NEAR(ucb_weight(3), 0.19095630746008618, 1e-15);
  EXPECT_NEAR(ucb_weight(50), 0.77404551204098992, 1e-15);
  const Eigen::VectorXd bounds = upper_bounds(process.predict(it.elsewhere), ucb_weight(10));
  EXPECT_NEAR(bounds[0], 0.87254068239674476, 1e-12);
  EXPECT_NEAR(bounds[1], -0.21664904500656001, 1e-12);
}

// ---- the model of gains ----

/// Members that are equally far and gain most at x = 0.7, whatever they begin with.
GainData gains_at(const std::vector<double>& x, double shift = 0, double stretch = 1) {
  GainData data;
  const Eigen::Index n = std::ssize(x);
  data.places = {Eigen::VectorXd::Ones(n), Eigen::VectorXd(n), RowMatrix(n, 1)};
  data.intervals = Eigen::VectorXd::Ones(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const double at = x[static_cast<std::size_t>(i)],
                 before = 1 + 0.01 * static_cast<double>(i % 3);
    data.places.inputs(i, 0) = at;
    data.places.losses[i] = shift + stretch * before;
    data.after.emplace_back(shift + stretch * (before - 0.5 + (at - 0.7) * (at - 0.7)));
  }
  return data;
}

GainPlaces places_at(const std::vector<double>& x, double loss = 1, double time = 2) {
  const Eigen::Index n = std::ssize(x);
  GainPlaces out{Eigen::VectorXd::Constant(n, time), Eigen::VectorXd::Constant(n, loss),
                 RowMatrix(n, 1)};
  for (Eigen::Index i = 0; i < n; ++i) out.inputs(i, 0) = x[static_cast<std::size_t>(i)];
  return out;
}

const std::vector<double> kTried = {0.02, 0.1,  0.18, 0.26, 0.34, 0.42, 0.5,
                                    0.58, 0.66, 0.74, 0.82, 0.9,  0.98};

TEST(GainModel, ExpectsMostWhereMostWasGained) {
  const GainModel model({Column{}}, gains_at(kTried), 8);

  const Eigen::VectorXd mean = model.predict(places_at({0.1, 0.4, 0.7, 1.0})).mean;

  Eigen::Index best = 0;
  mean.maxCoeff(&best);
  EXPECT_EQ(best, 2);
  EXPECT_NEAR(model.loss_after(1, mean[2]), 0.5, 0.02);
}

TEST(GainModel, DoesNotChangeWhereLossesAreShiftedOrStretched) {
  const GainModel model({Column{}}, gains_at(kTried), 8);
  const GainModel other({Column{}}, gains_at(kTried, 300, 7), 8);

  const auto one = model.predict(places_at({0.3, 0.6}));
  const auto two = other.predict(places_at({0.3, 0.6}, 307));

  // Losses of 300 lose eight bits of the differences, and the fit ends where it gains 1e-6.
  EXPECT_LT((one.mean - two.mean).cwiseAbs().maxCoeff(), 1e-3);
  EXPECT_LT((one.variance - two.variance).cwiseAbs().maxCoeff(), 1e-3);
}

TEST(GainModel, KeepsAwayFromWhereMembersFailed) {
  GainData data = gains_at(kTried);
  const GainModel without({Column{}}, data, 8);
  for (const double x : {0.7, 0.75}) {
    data.places.times.conservativeResize(data.places.size() + 1);
    data.places.times.tail(1) << 1;
    data.places.losses.conservativeResize(data.places.size());
    data.places.losses.tail(1) << 1;
    data.places.inputs.conservativeResize(data.places.size(), 1);
    data.places.inputs.bottomRows(1) << x;
    data.intervals.conservativeResize(data.places.size());
    data.intervals.tail(1) << 1;
    data.after.emplace_back();
  }

  const GainModel with({Column{}}, data, 8);

  EXPECT_LT(with.predict(places_at({0.72})).mean[0],
            without.predict(places_at({0.72})).mean[0] - 0.5);
}

TEST(GainModel, TakesAnyLossesThatAreFinite) {
  for (const double stretch : {0.0, 1e-300, 1e300}) {
    const GainModel model({Column{}}, gains_at(kTried, 0, stretch), 8);

    const auto found = model.predict(places_at({0.5}, stretch));

    EXPECT_TRUE(std::isfinite(found.mean[0])) << stretch;
    EXPECT_GT(found.variance[0], 0) << stretch;
  }
}

// ---- the scheduler ----

StudySpec population_of(int members, Step max, const std::string& explore) {
  return fidelity_spec(1, max, "pbt",
                       Json{{"population", members}, {"interval", 1}, {"explore", explore}});
}

/// Gradient descent on x^2 / 2 with noise, in expectation (see pbt_test.cpp): the best rate falls.
struct Descent {
  std::map<std::pair<TrialId, Step>, double> trained;
  const SchedulerWorld* running = nullptr;

  double loss(TrialId id, Step step) {
    const Trial& trial = running->state().trials[id];
    const bool copied = trial.parent && trial.parent->step == step - 1;
    const double v = step == 1 ? 1 : trained.at({copied ? trial.parent->trial : id, step - 1});
    const double rate = std::get<double>(trial.configuration->at("x"));
    return trained[{id, step}] = (1 - rate) * (1 - rate) * v + rate * rate;
  }
};

/// A world that has run.
struct PlayedDescent {
  Descent descent;
  SchedulerWorld world;

  PlayedDescent(const StudySpec& spec, int slots, double failing = 0)
      : world(spec, shape(slots, failing)) {
    descent.running = &world;
    world.run();
  }
  WorldShape shape(int slots, double failing) {
    WorldShape out;
    out.trials = 1000;
    out.slots = slots;
    out.failing = failing;
    out.configuration = [](TrialId trial) {
      return Configuration{{"x", 0.01 * std::pow(100, static_cast<double>(trial.n % 8) / 7)}};
    };
    out.loss = [this](TrialId id, Step step) { return descent.loss(id, step); };
    return out;
  }
  std::vector<Exploit> copies() const {
    std::vector<Exploit> all;
    for (const auto& asked : world.asked()) {
      if (!asked.answer) continue;
      if (const auto* copy = std::get_if<Exploit>(&*asked.answer)) all.push_back(*copy);
    }
    return all;
  }
};

TEST(Gains, AreWhatTheLogSays) {
  const PlayedDescent run(population_of(8, 20, "perturb"), 2, 0.02);
  Gains gains;
  StudyState state;
  for (const Event& event : run.world.log()) {
    ASSERT_TRUE(apply(state, event));
    gains.observe(state, event);
  }

  ASSERT_GT(gains.made().size(), 20u);
  std::set<std::pair<TrialId, Step>> seen;
  std::size_t of_copies = 0;
  for (const Gain& each : gains.made()) {
    EXPECT_TRUE(seen.insert({each.trial, each.until}).second);
    if (!each.after) continue;  // it failed
    const Trial& trial = state.trials[each.trial];
    EXPECT_EQ(each.until, each.from + 1);
    EXPECT_EQ(each.after, trial.loss_at(each.until));
    const bool copied = trial.parent && trial.parent->step == each.from;
    if (copied) ++of_copies;
    const TrialId before = copied ? trial.parent->trial : each.trial;
    EXPECT_EQ(each.before, state.trials[before].loss_at(each.from));
  }
  EXPECT_GT(of_copies, 3u);
}

TEST(Gains, CountAFailureOnlyIfItIsTheConfigurations) {
  for (const FailureClass failure : {FailureClass::diverged, FailureClass::infra}) {
    Gains gains;
    StudyState state;
    const auto emit = [&](Fact fact) {
      const Event event{state.seq + 1, 0, std::move(fact)};
      ASSERT_TRUE(apply(state, event));
      gains.observe(state, event);
    };
    const TrialId id{0};
    emit(StudyCreated{kLogSchema, "s", Json{{"fidelity", {{"max", 9}}}}, 1, ""});
    emit(TrialCreated{id, {{"x", 0.5}}, "test", {}, {}});
    emit(AttemptStarted{id, AttemptId{1}, "t", 0, 1, {}});
    emit(Reported{id, AttemptId{1}, 1, 1, {{"loss", 2.0}}, 2.0, false});
    emit(AttemptEnded{id, AttemptId{1}, AttemptEnd::reached, 1, {}, "", true});
    emit(AttemptStarted{id, AttemptId{2}, "t", 0, 2, {}});
    emit(AttemptEnded{id, AttemptId{2}, AttemptEnd::failed, 1, failure, "", true});
    emit(TrialClosed{id, Outcome::failed, {}});

    if (failure == FailureClass::infra) {
      EXPECT_TRUE(gains.made().empty());
      continue;
    }
    ASSERT_EQ(gains.made().size(), 1u);
    EXPECT_EQ(gains.made()[0].before, 2.0);
    EXPECT_FALSE(gains.made()[0].after);
  }
}

TEST(Pb2, PerturbsUntilItHasResultsAndThenProposes) {
  const std::vector<Exploit> copies = PlayedDescent(population_of(4, 30, "pb2"), 1).copies();
  const std::vector<Exploit> random = PlayedDescent(population_of(4, 30, "perturb"), 1).copies();

  ASSERT_GT(copies.size(), 10u);
  EXPECT_FALSE(random[0].note.contains("pb2"));
  const Json first{{"intervals", 0}, {"needed", 3}};
  EXPECT_EQ(copies[0].note.at("pb2"), first);
  EXPECT_EQ(copies[0].configuration, random[0].configuration) << "as if it were not there";
  std::size_t proposed = 0;
  for (const Exploit& each : copies) {
    const Json& note = each.note.at("pb2");
    EXPECT_EQ(note.contains("needed"), note.at("intervals") < 3);
    EXPECT_NE(note.contains("needed"), note.contains("loss"));
    if (!note.contains("loss")) continue;
    ++proposed;
    EXPECT_LT(note.at("loss_low"), note.at("loss"));
    EXPECT_LT(note.at("loss"), note.at("loss_high"));
    const double x = std::get<double>(each.configuration.at("x"));
    EXPECT_GE(x, 0.01);
    EXPECT_LE(x, 1);
  }
  EXPECT_GT(proposed, copies.size() / 2);
}

/// Its deviations are too small here: what it predicts is always later, and lower, than all that it
/// has seen. So the test is of the mean.
TEST(Pb2, ExpectsWhatComesBetterThanThatNothingChanges) {
  const PlayedDescent run(population_of(4, 30, "pb2"), 1);
  int better = 0, all = 0;
  for (const Trial& trial : run.world.state().trials) {
    if (!trial.parent || !trial.note->at("pb2").contains("loss")) continue;
    const auto after = trial.loss_at(trial.parent->step + 1);
    const auto before = run.world.state().trials[trial.parent->trial].loss_at(trial.parent->step);
    if (!after || !before) continue;
    ++all;
    const double expected = trial.note->at("pb2").at("loss");
    if (std::abs(*after - expected) < std::abs(*after - *before)) ++better;
  }

  ASSERT_GT(all, 20);
  EXPECT_GT(better, 3 * all / 4) << "of " << all;
}

TEST(Pb2, FindsAScheduleThatBeatsEveryFixedConfiguration) {
  const PlayedDescent run(population_of(4, 30, "pb2"), 1);
  double best = 1;
  for (const Trial& each : run.world.state().trials) {
    if (each.outcome == Outcome::completed) best = std::min(best, *each.loss);
  }

  EXPECT_LT(best, 0.048) << "of the best fixed rate: pbt_test.cpp";
  EXPECT_GE(best, 1.0 / 31);
}

TEST(Pb2, KeepsCopiesApartThatAreMadeAtOnce) {
  const PlayedDescent run(population_of(12, 20, "pb2"), 4);
  std::map<Step, std::vector<double>> begun;
  for (const Exploit& each : run.copies()) {
    if (!each.note.at("pb2").contains("loss")) continue;
    begun[each.parent.step].push_back(std::log(std::get<double>(each.configuration.at("x"))));
  }
  std::size_t pairs = 0, same = 0;
  for (const auto& [step, rates] : begun) {
    for (std::size_t i = 1; i < rates.size(); ++i, ++pairs) {
      if (std::abs(rates[i] - rates[i - 1]) < 1e-3) ++same;
    }
  }

  EXPECT_GT(pairs, 5u);
  EXPECT_LT(same, pairs / 4) << "of " << pairs;
}

TEST(Pb2, DecidesTheSameAgainFromTheLog) {
  const StudySpec spec = population_of(8, 20, "pb2");
  const PlayedDescent run(spec, 3, 0.03);
  const auto store = make_memory_store();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->append(0, run.world.log()));

  const auto result = verify_decisions(*store, run.world.log().size(), [&](const Json&) {
    return Result<std::shared_ptr<const StudySpec>>(std::make_shared<const StudySpec>(spec));
  });

  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result.value().differing, 0);
  EXPECT_GT(result.value().verified, 40);
}

std::string told_of(const TrialCreated& created) {
  Explanation it;
  it.created = created;
  Objective objective;
  objective.metric = "accuracy";
  objective.maximize = true;
  return explanation_text(it, "demo", objective);
}

TEST(Pb2, IsExplainedByWhatTheModelExpected) {
  TrialCreated created{TrialId{9}, {{"x", 0.5}}, kExploitOrigin, {}, {}};
  created.parent = Parent{TrialId{2}, 4, TrialId{7}};
  created.note = Json{{"compared_at", 4}, {"results", 6}, {"parent", 1}, {"replaced", 6}};
  EXPECT_THAT(told_of(created), testing::Not(HasSubstr("model")));

  created.note["pb2"] = Json{{"intervals", 2}, {"needed", 3}};
  EXPECT_THAT(told_of(created), HasSubstr("trial 7 was 6th; its values are random ones, as a model "
                                          "had 2 of the 3 results that it needs"));

  created.note["pb2"] =
      Json{{"intervals", 12}, {"loss", -0.8}, {"loss_low", -0.85}, {"loss_high", -0.7}};
  EXPECT_THAT(told_of(created),
              HasSubstr("a model of 12 results proposed its values, and expected after one "
                        "interval accuracy about 0.8 (0.7 to 0.85, one deviation either way)"));
}

std::string refusal_of_pb2(const Json& options) {
  StudySpec spec = fidelity_spec(1, 9, "pbt", options);
  spec.space = SearchSpace::make({Parameter{"x", Real{0.01, 1, Scale::log, {}}, {}, {}},
                                  Parameter{"kind", Categorical{{Value("a"), Value("b")}}, {}, {}}})
                   .value();
  Diagnostics diagnostics;
  EXPECT_EQ(make_scheduler(spec, diagnostics), nullptr);
  return diagnostics.render(false);
}

TEST(Pb2, RefusesWhatItCannotDo) {
  EXPECT_THAT(refusal_of_pb2({{"explore", "pb3"}}), HasSubstr("pb2"));
  EXPECT_THAT(refusal_of_pb2({{"explore", "pb2"}, {"mutate", {"kind"}}}),
              HasSubstr("no number may change"));
}

}  // namespace
}  // namespace betatune
