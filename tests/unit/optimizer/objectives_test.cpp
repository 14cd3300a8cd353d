// Several objectives in the fold, the coordinator, the schedulers and the model.

#include <cmath>
#include <gmock/gmock.h>

#include "optimizer/gp/front_model.hpp"
#include "optimizer/gp/model.hpp"
#include "optimizer/pareto/study_front.hpp"
#include "tests/support/coordinator_harness.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using betatune::test::Harness;
using betatune::test::small_study;
using betatune::test::stepped_study;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The loss, to be minimised, and the accuracy, to be maximised.
StudySpec two_objectives(StudySpec spec, std::optional<double> loss_target = {},
                         std::optional<double> accuracy_target = {}) {
  spec.objectives = {{"loss", Goal::minimize, loss_target, {}},
                     {"accuracy", Goal::maximize, accuracy_target, {}}};
  spec.objective = spec.objectives.front();
  spec.document["objectives"] = {{{"metric", "loss"}},
                                 {{"metric", "accuracy"}, {"goal", "maximize"}}};
  return spec;
}

/// Trials that end one after the other with these losses and accuracies.
void end_with_accuracies(Harness& shell, const std::vector<std::pair<double, double>>& results) {
  Assign at = shell.begin("a");
  for (const auto& [loss, accuracy] : results) {
    shell.say(
        "a",
        Report{at.trial, at.attempt, 1, at.until, {{"loss", loss}, {"accuracy", accuracy}}, {}});
    shell.done("a", at, 1);
    shell.say("a", Ready{1});
    if (shell.has_sent<Assign>()) at = shell.only_sent<Assign>();
  }
}

TEST(Objectives, TheFrontIsOfTrialsThatNoOtherOneBeats) {
  Harness shell(two_objectives(small_study()));

  end_with_accuracies(shell, {{0.5, 0.9}, {0.4, 0.8}, {0.6, 0.85}, {0.3, 0.2}});

  EXPECT_THAT(front_trials(shell.state()), ElementsAre(TrialId{0}, TrialId{1}, TrialId{3}));
  const StudyFront front = front_of(shell.spec().objectives, shell.state());
  EXPECT_THAT(front.members, ElementsAre(0, 1, 3));
  // Reference: 0.5 + 0.02 and -0.2 + 0.07.
  EXPECT_NEAR(front.reference[0], 0.52, 1e-12);
  EXPECT_NEAR(front.reference[1], -0.13, 1e-12);
  EXPECT_NEAR(front.hypervolume, 0.02 * 0.77 + 0.1 * 0.67 + 0.1 * 0.07, 1e-12);
}

TEST(Objectives, AThresholdIsTheReference) {
  StudySpec spec = two_objectives(small_study());
  spec.objectives[1].threshold = 0.5;
  Harness shell(spec);

  end_with_accuracies(shell, {{0.5, 0.9}, {0.4, 0.8}});

  EXPECT_EQ(front_of(spec.objectives, shell.state()).reference[1], -0.5);
}

TEST(Objectives, ATrialThatLacksOneFails) {
  Harness shell(two_objectives(small_study()));
  const Assign at = shell.begin("a");

  shell.finish_trial("a", at, 0.5);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_THAT(shell.trial(0).message, HasSubstr("without reporting `accuracy`"));
}

TEST(Objectives, TheTargetsMustBeReachedByOneTrial) {
  Harness apart(two_objectives(small_study(), 0.35, 0.85));
  end_with_accuracies(apart, {{0.3, 0.2}, {0.9, 0.9}});
  EXPECT_FALSE(apart.finished);

  Harness together(two_objectives(small_study(), 0.35, 0.85));
  end_with_accuracies(together, {{0.3, 0.2}, {0.35, 0.85}});
  EXPECT_EQ(together.finished, "target");
}

TEST(Objectives, SchedulersWithAModelOfOneLossRefuseThem) {
  StudySpec spec = two_objectives(stepped_study(9, "auto"));
  spec.algorithm.searcher.name = "gp";
  EXPECT_EQ(scheduler_name(spec), "asha");
  StudySpec one = stepped_study(9, "auto");
  one.algorithm.searcher.name = "gp";
  EXPECT_EQ(scheduler_name(one), "freeze-thaw");
  one.algorithm.searcher.name = "tpe";
  EXPECT_EQ(scheduler_name(one), "asha") << "which is as quick as the searcher";
  EXPECT_EQ(scheduler_name(two_objectives(small_study())), "fifo");
  for (const char* name : {"median-stopping", "freeze-thaw"}) {
    spec.algorithm.scheduler.name = name;
    Diagnostics problems;
    EXPECT_EQ(make_scheduler(spec, problems), nullptr) << name;
    EXPECT_THAT(problems.render(false), HasSubstr("E0505")) << name;
    EXPECT_THAT(problems.render(false), HasSubstr("use `asha`")) << name;
  }
}

TEST(Objectives, AshaPromotesAnEndOfTheFront) {
  Harness shell(two_objectives(stepped_study(9, "asha")));

  end_with_accuracies(shell, {{0.9, 0.9}, {0.5, 0.5}, {0.1, 0.1}});

  EXPECT_EQ(shell.trial(0).until, 3) << "of both ends the first, whose loss is the highest";
  shell.restart();
  EXPECT_EQ(shell.trial(0).until, 3);
}

TEST(Objectives, AshaPromotesNobodyWhoBreaksALimit) {
  StudySpec spec = two_objectives(stepped_study(9, "asha"));
  spec.outcome_constraints = {Inequality::parse("accuracy <= 0.8").value()};
  spec.document["outcome_constraints"] = {"accuracy <= 0.8"};
  Harness shell(spec);

  end_with_accuracies(shell, {{0.1, 0.9}, {0.6, 0.5}, {0.5, 0.6}});

  EXPECT_EQ(shell.trial(2).until, 3);
}

TEST(Objectives, InModeStopATrialIsJudgedOnceAllAreKnown) {
  StudySpec spec = two_objectives(stepped_study(9, "asha"));
  spec.algorithm.scheduler.options = ConfigNode::from_json(Json{{"mode", "stop"}}, "study.yaml");
  Harness shell(spec);
  Assign at = shell.begin("a");
  for (const double waste : {0.1, 0.2, 0.3, 0.05}) {
    shell.report("a", at, 1, 1, waste);
    EXPECT_FALSE(shell.has_sent<Decision>()) << waste << ": its accuracy may be the highest";
    shell.say("a", Report{at.trial, at.attempt, 2, 1, {{"accuracy", 0.9 - waste}}, {}});
    const bool stopped = shell.has_sent<Decision>();
    EXPECT_EQ(stopped, waste == 0.3) << waste << ": two others beat the third in everything";
    shell.report("a", at, 3, 9, waste);
    shell.done("a", at, stopped ? 2 : 3, stopped ? AttemptEnd::stopped : AttemptEnd::reached);
    shell.sent.clear();
    shell.say("a", Ready{1});
    if (shell.has_sent<Assign>()) at = shell.only_sent<Assign>();
  }
}

TEST(Objectives, MeritsRankFrontsThenLoneliness) {
  test::HistoryBuilder study({test::real("x", 0, 1)});
  study.spec().objectives.resize(2);
  study.limit("mem");
  const std::vector<std::pair<double, std::vector<double>>> results = {
      {1, {-1, 3}}, {2, {-1, 2}}, {3, {-1, 1}}, {3, {-1, 3}}, {0, {5, 0}}};
  for (std::size_t i = 0; i < results.size(); ++i) {
    const TrialId id = study.add_running({{"x", 0.1 * static_cast<double>(i)}});
    study.finish_with(id, results[i].first, results[i].second);
  }
  ObservationCollector collector;

  const Observations data = collector.collect(study.history());

  for (Eigen::Index i = 0; i < 3; ++i) EXPECT_LT(data.merits[i], 1);
  EXPECT_GT(data.merits[1], data.merits[0]) << "the ends of a front are lonely";
  EXPECT_GE(data.merits[3], 1);
  EXPECT_GT(data.merits[4], data.merits[3] + 4) << "a broken limit is worse than any front";
  EXPECT_EQ(data.objectives.rows(), 5);
  EXPECT_EQ(data.objectives(2, 1), 1);
}

class FrontModelTest : public ::testing::Test {
 protected:
  /// Two objectives of two numbers, at `n` points.
  void learn(Eigen::Index n) {
    Stream stream(root_key(3));
    RowMatrix points(n, 2);
    std::vector<std::size_t> trials;
    Eigen::VectorXd first(n), second(n);
    for (Eigen::Index i = 0; i < n; ++i) {
      points.row(i) << stream.uniform(), stream.uniform();
      trials.push_back(static_cast<std::size_t>(i));
      first[i] = points(i, 0) + 0.2 * points(i, 1);
      second[i] = 100 * std::pow(1 - points(i, 0), 2) + 30 * points(i, 1);
    }
    GaussianProcess& a = first_.condition({trials, points, first}, 0);
    GaussianProcess& b = second_.condition({trials, points, second}, 0);
    front_.emplace(std::vector<GaussianProcess*>{&a, &b},
                   Eigen::Vector2d(first_.output_of(1.2), second_.output_of(110)));
    front_->add(points, std::vector<bool>(static_cast<std::size_t>(n), true));
  }

  std::vector<Column> columns_ = std::vector<Column>(2);
  GpModel first_{columns_, ModelOf::objective}, second_{columns_, ModelOf::objective};
  std::optional<FrontModel> front_;
};

TEST_F(FrontModelTest, ItsImprovementHasTheGradientOfItsValue) {
  learn(10);
  const HypervolumeImprovement improvement = front_->improvement();
  for (const auto& [x, y] : {std::pair{0.2, 0.3}, {0.55, 0.05}, {0.95, 0.1}}) {
    RowMatrix point(1, 2), gradient;
    point << x, y;
    improvement.value(point, &gradient);
    const auto value = [&](const Eigen::VectorXd& at) {
      return improvement.value(RowMatrix(at.transpose()), nullptr)[0];
    };
    test::expect_gradient(value, Eigen::Vector2d(x, y), gradient.row(0).transpose());
  }
}

TEST_F(FrontModelTest, APendingPointLeavesLessToImproveRoundIt) {
  learn(10);
  RowMatrix there(1, 2), elsewhere(1, 2);
  there << 0.5, 0.0;
  elsewhere << 0.9, 0.0;
  const auto promise = [&](const RowMatrix& at) {
    return front_->improvement().value(at, nullptr)[0];
  };
  const double before = promise(there), before_elsewhere = promise(elsewhere);

  front_->add(there, {true});
  front_->pend(there);

  EXPECT_LT(promise(there), before - 1);
  EXPECT_GT(promise(elsewhere) - before_elsewhere, promise(there) - before);
}

TEST(ObjectiveTransform, IsALineBelowOutliers) {
  Eigen::VectorXd values(5);
  values << 3, 7, 11, 5, 9;
  const Outputs out = transform_objective(values);
  for (Eigen::Index i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(out.y[i], out.zero + values[i] * out.slope_at_best, 1e-12);
  }
  EXPECT_NEAR(out.y.mean(), 0, 1e-12);
}

}  // namespace
}  // namespace betatune
