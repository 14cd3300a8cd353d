/// Where configurations come from, and in which order.

#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using test::Harness;
using test::small_study;

TEST(CoordinatorEnqueue, IsTriedBeforeAnySuggestionAndOutlivesARestart) {
  Harness shell(small_study());
  const Configuration mine{{"x", 0.125}, {"n", std::int64_t{5}}};

  shell.give(EnqueueRequest{mine});
  shell.restart();
  shell.join("t");

  EXPECT_EQ(shell.only_sent<Assign>().params, mine);
  EXPECT_EQ(shell.facts<TrialCreated>().at(0).origin, "enqueued");
  EXPECT_TRUE(shell.state().enqueued.empty());
}

TEST(CoordinatorInitial, TriesTheFilesPointsFirstOrElseTheDefaults) {
  StudySpec spec = small_study();
  spec.algorithm.initial.points.push_back(
      ConfigNode::from_json(Json{{"x", 0.75}, {"n", 3}}, "test"));
  Harness with_points(spec);
  with_points.join("t");
  EXPECT_EQ(with_points.only_sent<Assign>().params,
            (Configuration{{"x", 0.75}, {"n", std::int64_t{3}}}));

  StudySpec defaults = small_study();
  defaults.space =
      SearchSpace::make({Parameter{"x", Real{0, 1, Scale::linear, {}}, Value(0.5), {}}}).value();
  Harness with_defaults(defaults);
  with_defaults.join("t");
  EXPECT_EQ(with_defaults.only_sent<Assign>().params, (Configuration{{"x", 0.5}}));
  EXPECT_EQ(with_defaults.facts<TrialCreated>().at(0).origin, "initial");
}

TEST(CoordinatorPlan, IsIgnoredIfNobodyWaitsForIt) {
  Harness shell(small_study());
  const Suggestion known{{{"x", 0.5}, {"n", std::int64_t{5}}}, "random", nullptr};

  shell.give(Planned{17, {known}});
  shell.join("t");

  EXPECT_NE(shell.only_sent<Assign>().params, known.configuration);
}

TEST(CoordinatorPlan, GivesNoConfigurationTwiceAlthoughOneWasEnqueuedMeanwhile) {
  StudySpec spec = small_study();
  spec.space = SearchSpace::make({Parameter{"n", Integer{1, 3, Scale::linear, 1}, {}, {}}}).value();
  spec.stopping.trials = 50;
  Harness shell(spec);
  ASSERT_EQ(shell.plans, 1) << "all three are in the queue";
  shell.give(EnqueueRequest{{{"n", std::int64_t{2}}}});

  shell.join("t");
  while (!shell.finished) shell.finish_trial("t", shell.only_sent<Assign>(), 1);

  std::set<Configuration> tried;
  for (const TrialCreated& each : shell.facts<TrialCreated>()) tried.insert(each.configuration);
  EXPECT_EQ(tried.size(), 3u);
  EXPECT_EQ(shell.state().trials.size(), 3u);
}

}  // namespace
}  // namespace betatune
