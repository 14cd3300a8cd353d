/// Explanations are of the model that chose the trial, not of today's.

#include "optimizer/explain.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <limits>

#include "optimizer/gp/loss_scale.hpp"
#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using betatune::test::Harness;
using betatune::test::small_study;
using ::testing::HasSubstr;

class Explain : public ::testing::Test {
 protected:
  /// Twenty-six trials under `searcher`, two at once; trial 6 is enqueued by hand.
  void run(const std::string& searcher, bool failures = false) {
    spec_ = small_study();
    spec_.algorithm.searcher.name = searcher;
    spec_.stopping.trials = 26;
    Harness shell(spec_);
    shell.join("t", 2);
    std::vector<Assign> out = shell.all_sent<Assign>();
    for (int i = 0; !out.empty(); ++i) {
      shell.sent.clear();
      const Assign at = out.front();
      out.erase(out.begin());
      if (i == 3) shell.give(EnqueueRequest{{{"x", 0.5}, {"n", std::int64_t{500}}}});
      const double x = std::get<double>(at.params.at("x"));
      const auto n = static_cast<double>(std::get<std::int64_t>(at.params.at("n")));
      if (failures && x > 0.8) {
        shell.done("t", at, 0, AttemptEnd::failed, FailureClass::oom);
      } else {
        shell.report("t", at, 1, at.until, (x - 0.3) * (x - 0.3) + 1e-4 * n);
        shell.done("t", at, 1);
      }
      shell.say("t", Ready{1});
      for (const Assign& each : shell.all_sent<Assign>()) out.push_back(each);
    }
    EXPECT_TRUE(shell.finished);
    created_ = shell.facts<TrialCreated>();
    store_ = make_memory_store();
    ASSERT_TRUE(store_->append(0, shell.log()));
  }

  Result<Explanation> explain(std::uint64_t trial) const {
    return betatune::explain(*store_, TrialId{trial}, [this](const Json&) {
      return Result<std::shared_ptr<const StudySpec>>(std::make_shared<const StudySpec>(spec_));
    });
  }
  Explanation explained(std::uint64_t trial) const {
    auto found = explain(trial);
    EXPECT_TRUE(found) << (found ? "" : found.error().message);
    return found ? std::move(found).value() : Explanation{};
  }

  StudySpec spec_;
  std::vector<TrialCreated> created_;
  std::unique_ptr<StudyStore> store_;
};

TEST_F(Explain, FindsTheModelAndWhatTheChoiceBeat) {
  for (const char* searcher : {"gp", "auto"}) {
    run(searcher);
    int explained_here = 0;
    for (const TrialCreated& created : created_) {
      if (created.origin != "gp") continue;
      ++explained_here;

      const Explanation it = explained(created.trial.n);

      ASSERT_TRUE(it.model) << searcher << ' ' << created.trial.n;
      EXPECT_EQ(it.searcher, searcher);
      EXPECT_LT(it.trials, created.trial.n + 1);
      // The same model, bit for bit: its value at the choice is what the note remembers.
      ASSERT_TRUE(it.model->log_prior) << "at least the belief in the middle";
      EXPECT_NEAR(it.model->log_ei + *it.model->log_prior, created.note.at("log_ei").get<double>(),
                  1e-12);
      ASSERT_FALSE(it.model->rivals.empty()) << searcher << ' ' << created.trial.n;
      double before = std::numeric_limits<double>::infinity();
      for (const Rival& rival : it.model->rivals) {
        EXPECT_LE(rival.log_ei, before) << "best first";
        before = rival.log_ei;
        EXPECT_NE(rival.configuration, created.configuration);
      }
      EXPECT_GT(it.model->expected.deviation, 0);
      EXPECT_LE(it.model->expected.loss_low, it.model->expected.loss);
      EXPECT_LE(it.model->expected.loss, it.model->expected.loss_high);
      EXPECT_EQ(it.model->parameters.size(), 2u);
    }
    EXPECT_GE(explained_here, 5) << searcher;
  }
}

TEST_F(Explain, OfALocalStepHasItsNoteAndTheModelsView) {
  run("auto");
  int local = 0;
  for (const TrialCreated& created : created_) {
    if (created.origin != "local") continue;
    ++local;

    const Explanation it = explained(created.trial.n);

    ASSERT_TRUE(it.model);
    EXPECT_TRUE(it.model->rivals.empty()) << "another model than this one chose it";
    EXPECT_TRUE(it.created.note.contains("predicted"));
    EXPECT_TRUE(it.loss);
  }
  EXPECT_GE(local, 1);
}

TEST_F(Explain, SaysWhatEachParameterDidByPuttingItBack) {
  run("gp");

  const Explanation it = explained(25);

  ASSERT_TRUE(it.model);
  const Configuration& best = created_.at(it.model->incumbent.n).configuration;
  for (const ParameterView& each : it.model->parameters) {
    EXPECT_EQ(each.value, it.created.configuration.at(each.name));
    EXPECT_EQ(each.incumbent, best.at(each.name));
    EXPECT_EQ(each.mean_change.has_value(), each.value != each.incumbent);
    EXPECT_GT(each.lengthscale, 0);
  }
}

TEST_F(Explain, CountsFailuresAndTheChanceOfOne) {
  run("gp", true);
  bool any = false;
  for (const TrialCreated& created : created_) {
    if (created.origin != "gp") continue;
    const Explanation it = explained(created.trial.n);
    ASSERT_TRUE(it.model);
    EXPECT_EQ(it.model->log_success.has_value(), it.model->failures > 0);
    if (!it.model->log_success) continue;
    any = true;
    EXPECT_LE(*it.model->log_success, 0);
    EXPECT_NEAR(it.model->log_ei + *it.model->log_success + *it.model->log_prior,
                created.note.at("log_ei"), 1e-9);
  }
  EXPECT_TRUE(any);
}

TEST_F(Explain, OfWhatNoModelChoseSaysOnlyWhoDid) {
  run("gp");
  EXPECT_EQ(explained(0).created.origin, "centre");
  EXPECT_FALSE(explained(0).model);
  EXPECT_FALSE(explained(0).best);
  bool enqueued = false;
  for (const TrialCreated& created : created_) {
    if (created.origin != "enqueued") continue;
    enqueued = true;
    const Explanation it = explained(created.trial.n);
    EXPECT_FALSE(it.model);
    EXPECT_FALSE(it.created.plan);
    EXPECT_TRUE(it.best);
    EXPECT_EQ(it.pending.size(), 1u) << "the other slot's trial";
  }
  EXPECT_TRUE(enqueued);
  run("random");
  EXPECT_FALSE(explained(20).model);
}

TEST_F(Explain, OfAnUnknownTrialNamesThoseThereAre) {
  run("random");

  const auto it = explain(26);

  ASSERT_FALSE(it);
  EXPECT_EQ(it.error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(it.error().message, "small has no trial 26; its trials are 0 to 25");
}

TEST(LossScale, GivesTheLossesBackAndGoesOnBeyondThem) {
  const Eigen::VectorXd losses = Eigen::Vector<double, 6>(3, 1, 2, 10, 4, 1);
  for (const OutputBend bend : {OutputBend{0}, OutputBend{0.1}}) {
    const LossScale scale(losses, bend);
    const Eigen::VectorXd y = transform_outputs(losses, bend).y;

    for (Eigen::Index i = 0; i < y.size(); ++i) EXPECT_NEAR(scale.loss_at(y[i]), losses[i], 1e-9);
    EXPECT_LT(scale.loss_at(y.minCoeff() - 1), 1);
    EXPECT_GT(scale.loss_at(y.maxCoeff() + 1), 10);
  }
  EXPECT_EQ(LossScale(Eigen::Vector2d(5, 5), {}).loss_at(0.3), 5);
}

}  // namespace
}  // namespace betatune
