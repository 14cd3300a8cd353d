// The scheduler that asks a model of the learning curves.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/history_builder.hpp"
#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::scheduler_of;
using testing::HasSubstr;

/// A scheduler that is asked after facts that a test writes: trials of one parameter.
class Study {
 public:
  explicit Study(double ladder = 0, double explore = 0)
      : spec_(fidelity_spec(1, 9, "freeze-thaw", {{"ladder", ladder}, {"explore", explore}})) {
    spec_.space = SearchSpace::make({test::real("x", 0, 1)}).value();
    spec_.study.seed = 1;
    scheduler_ = scheduler_of(spec_);
    emit(StudyCreated{kLogSchema, "curves", Json{{"fidelity", {{"max", 9}}}}, 1, ""});
    emit(OptimizerStarted{1, ""});
  }
  TrialId create(double x) {
    const TrialId id{state_.trials.size()};
    emit(TrialCreated{id, Configuration{{"x", x}}, "test", {}, {}});
    return id;
  }
  /// To `until`, where it ends with this loss.
  void train(TrialId id, Step until, double loss) {
    begin(id, until);
    const Trial& trial = state_.trials[id];
    emit(Reported{id, trial.attempt, 1, until, {}, loss, false});
    emit(AttemptEnded{id, trial.attempt, AttemptEnd::reached, until, {}, "", true});
    if (scheduler_->completes(state_, state_.trials[id])) {
      emit(TrialClosed{id, Outcome::completed, loss});
    }
  }
  void begin(TrialId id, Step until) {
    const Trial& trial = state_.trials[id];
    std::optional<ArtifactRef> checkpoint;
    if (trial.step > 0) checkpoint = ArtifactRef{"c", trial.step, 0};
    emit(AttemptStarted{id, AttemptId{trial.attempt.n + 1}, "t", trial.step, until, checkpoint});
  }
  std::optional<Assignment> next(bool may_start = true) const {
    return scheduler_->next(state_, may_start);
  }
  DecisionBasis basis(TrialId id) const { return scheduler_->basis(state_, state_.trials[id]); }
  /// Where the trial that is resumed next is to be trained to.
  std::optional<Step> goal() const {
    const auto answer = next();
    const auto* resume = answer ? std::get_if<Resume>(&*answer) : nullptr;
    return resume == nullptr ? std::nullopt : std::optional(resume->until);
  }
  std::optional<TrialId> resumed(bool may_start = true) const {
    const auto answer = next(may_start);
    const auto* resume = answer ? std::get_if<Resume>(&*answer) : nullptr;
    return resume == nullptr ? std::nullopt : std::optional(resume->trial);
  }

 private:
  void emit(Fact fact) {
    const Event event{state_.seq + 1, 0, std::move(fact)};
    const Status applied = apply(state_, event);
    ASSERT_TRUE(applied) << applied.error().message;
    scheduler_->observe(state_, event);
  }

  StudySpec spec_;
  std::unique_ptr<Scheduler> scheduler_;
  StudyState state_;
};

TEST(FreezeThaw, LeavesTheFirstDecisionsToTheLadder) {
  Study study;
  study.train(study.create(0.1), 1, 5);
  study.train(study.create(0.5), 1, 3);
  EXPECT_EQ(study.resumed(), std::nullopt);
  study.train(study.create(0.9), 1, 4);

  EXPECT_EQ(study.resumed(), TrialId{1}) << "one of three goes on, as asha has it";
  study.train(TrialId{1}, 3, 2);
  EXPECT_EQ(study.resumed(), std::nullopt) << "nobody has come to the end: nothing is known of it";
}

/// Trials of small x start slowly and end the lower. Some have been trained to the end.
void teach_crossing(Study& study) {
  const auto loss = [](double x, double step) {
    const double start = 2 - x, end = 0.2 + 0.5 * x;
    return end + (start - end) * (1 - std::log(step) / std::log(9.0));
  };
  for (int i = 0; i < 12; ++i) {
    const double x = (i + 0.5) / 12;
    const TrialId id = study.create(x);
    study.train(id, 1, loss(x, 1));
    if (i % 3 != 1) continue;
    study.train(id, 3, loss(x, 3));
    study.train(id, 9, loss(x, 9));
  }
}

TEST(FreezeThaw, TrainsOnWhoWillWinAndNotWhoLeads) {
  Study study;
  teach_crossing(study);

  EXPECT_EQ(study.resumed(false), TrialId{0})
      << "the lowest x, which is the highest loss at the first rung";
}

TEST(FreezeThaw, StartsNewTrialsWhenNoPausedOneCanWin) {
  Study study;
  for (int i = 0; i < 12; ++i) {
    const double x = (i + 0.5) / 12;
    const TrialId id = study.create(x);
    study.train(id, 1, 2 + x);
    if (i > 3) continue;
    study.train(id, 3, 1.5 + x);
    study.train(id, 9, 1 + x);
  }

  EXPECT_EQ(study.resumed(), std::nullopt);
  EXPECT_EQ(study.next(false), std::nullopt) << "nobody has a chance: the study is done";
}

TEST(FreezeThaw, LeavesEveryDecisionToTheLadderIfToldSo) {
  Study study(1);
  teach_crossing(study);

  EXPECT_EQ(study.resumed(), TrialId{11}) << "the best of the first rung, as asha has it";
}

/// Alike, and trained to the end: 9 steps each.
void train_some_alike(Study& study, int count) {
  for (int i = 0; i < count; ++i) {
    const TrialId id = study.create(0.02 * i);
    for (const int step : {1, 3, 9}) study.train(id, step, 5 + 0.1 * i - 0.1 * step);
  }
}

TEST(FreezeThaw, TrainsToTheEndNowAndThenWhatIsUnlikeAllThatWere) {
  Study study(0, 0.1);
  train_some_alike(study, 8);
  const TrialId unlike = study.create(0.9), near = study.create(0.3), bad = study.create(1);
  study.train(unlike, 1, 5.05);
  study.train(near, 1, 5.05);
  study.train(bad, 1, 9);
  EXPECT_NE(study.goal(), Step{9}) << "a full training would be more than a tenth of the steps";

  train_some_alike(study, 1);
  EXPECT_EQ(study.goal(), Step{9});
  EXPECT_EQ(study.resumed(), unlike) << "of the better half the farthest";
  const DecisionBasis basis = study.basis(unlike);
  ASSERT_TRUE(std::holds_alternative<LeapBasis>(basis));
  EXPECT_NEAR(std::get<LeapBasis>(basis).distance, 0.9 - 0.14, 1e-12);
  EXPECT_FALSE(std::holds_alternative<LeapBasis>(study.basis(near)));

  study.begin(unlike, 9);
  EXPECT_NE(study.goal(), Step{9}) << "its steps count as soon as they are begun";

  train_some_alike(study, 10);
  EXPECT_EQ(study.resumed(), near) << "0.16 from the nearest";
  study.begin(near, 9);
  train_some_alike(study, 10);
  study.train(study.create(0.35), 1, 5.05);
  EXPECT_NE(study.goal(), Step{9}) << "0.05 from the nearest";
}

TEST(FreezeThaw, TrainsNobodyToTheEndForThatIfToldSo) {
  Study study(0, 0);
  train_some_alike(study, 20);
  study.train(study.create(0.9), 1, 5.05);

  EXPECT_NE(study.goal(), Step{9});
}

TEST(FreezeThaw, TellsOfItsRungs) {
  EXPECT_THAT(scheduler_of(fidelity_spec(1, 9, "freeze-thaw"))->rungs().levels,
              testing::ElementsAre(1, 3, 9));
}

TEST(FreezeThaw, RefusesOptionsThatMeanNothing) {
  const auto problem = [](const Json& options, bool with_fidelity = true) {
    StudySpec spec = fidelity_spec(1, 9, "freeze-thaw", options);
    if (!with_fidelity) spec.fidelity.reset();
    Diagnostics diagnostics;
    EXPECT_EQ(make_scheduler(spec, diagnostics), nullptr);
    return diagnostics.render(false);
  };

  EXPECT_THAT(problem({{"eta", 1}}), HasSubstr("algorithm.scheduler.eta must be above 1"));
  EXPECT_THAT(problem({{"ladder", 1.5}}),
              HasSubstr("algorithm.scheduler.ladder must be in [0, 1]"));
  EXPECT_THAT(problem({{"explore", 1}}),
              HasSubstr("algorithm.scheduler.explore must be at least 0 and below 1"));
  EXPECT_THAT(problem({{"ladder", 0.5}}, false), HasSubstr("the study has no `fidelity`"));
}

}  // namespace
}  // namespace betatune
