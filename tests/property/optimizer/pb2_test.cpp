// What population-based bandits propose, whatever the space: configurations that are valid, on
// their grids and within the constraints, whose other parameters are those of the parent.

#include <algorithm>
#include <gtest/gtest.h>

#include "tests/support/for_all.hpp"
#include "tests/support/scheduler_world.hpp"
#include "tests/support/spaces.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::SchedulerWorld;
using support::WorldShape;

/// Every other searched parameter, and all where none of those has an order.
std::vector<std::string> chosen(const SearchSpace& space) {
  std::vector<std::string> some, all;
  bool any_number = false;
  for (std::size_t j = 0; j < space.columns().size(); ++j) {
    const Column& column = space.columns()[j];
    all.push_back(space.parameters()[column.parameter].name);
    if (j % 2 != 0) continue;
    some.push_back(all.back());
    any_number |= column.kind != Column::Kind::categorical;
  }
  return any_number ? some : all;
}

bool has_number(const SearchSpace& space) {
  return std::ranges::any_of(space.columns(), [](const Column& column) {
    return column.kind != Column::Kind::categorical;
  });
}

StudySpec study_in(const SearchSpace& space, const std::vector<std::string>& mutate) {
  StudySpec spec = fidelity_spec(1, 9, "pbt");
  spec.space = space;
  spec.algorithm.scheduler.options = ConfigNode::from_json(
      Json{{"population", 6}, {"interval", 1}, {"explore", "pb2"}, {"mutate", mutate}}, "s");
  return spec;
}

TEST(Pb2Property, ProposesWhatTheSpaceAllows) {
  std::size_t proposed = 0;
  const auto claim = [&](const SearchSpace& space, Key key) {
    if (!has_number(space)) return;
    const std::vector<std::string> mutate = chosen(space);
    WorldShape shape;
    shape.trials = 60;
    shape.slots = 4;
    shape.seed = shape.study_seed = key.lo;
    shape.failing = 0.02;
    shape.configuration = [&](TrialId trial) { return space.sample(fold_in(key, trial.n)); };
    SchedulerWorld world(study_in(space, mutate), shape);

    world.run();

    for (const Trial& trial : world.state().trials) {
      if (!trial.parent) continue;
      if (trial.note->at("pb2").contains("loss")) ++proposed;
      const Status valid = space.check(*trial.configuration);
      EXPECT_TRUE(valid) << valid.error().message;
      const Configuration& from = *world.state().trials[trial.parent->trial].configuration;
      for (const auto& [name, value] : *trial.configuration) {
        const bool derived = std::holds_alternative<Derived>(space.find(name)->domain);
        const bool may_change = std::ranges::find(mutate, name) != mutate.end();
        if (derived || may_change || !from.contains(name)) continue;
        EXPECT_EQ(value, from.at(name)) << name;
      }
    }
  };
  test::for_all(root_key(1), test::random_space, claim, 40);
  EXPECT_GT(proposed, 200u);
}

}  // namespace
}  // namespace betatune
