// Population-based bandits: what the log says that trainings gained, and what comes of it.

#include "optimizer/pbt/pb2.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "optimizer/cli/explanation_text.hpp"
#include "optimizer/verify_decisions.hpp"
#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::scheduler_of;
using support::SchedulerWorld;
using support::WorldShape;
using testing::HasSubstr;

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
