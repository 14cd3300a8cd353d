// A population that trains, and a person who asks it for configurations.

#include <gmock/gmock.h>
#include <set>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using testing::HasSubstr;

/// Once the population is whole, its first member waits for the file "go".
constexpr const char* kTrain =
    "if [ $BETATUNE_UNTIL -gt 1 ]; then\n"
    "  echo yes > started; until [ -e go ]; do sleep 0.02; done\n"
    "fi\n"
    "s=$BETATUNE_FROM\n"
    "while [ $s -lt $BETATUNE_UNTIL ]; do\n"
    "  s=$((s + 1)); echo \"{\\\"step\\\": $s, \\\"loss\\\": $BETATUNE_PARAM_X}\"\n"
    "done\n"
    "echo $s > $BETATUNE_CHECKPOINT_DIR/state\n";

class AskedPopulation : public support::UserStudy {
 protected:
  void write(int trials) {
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo, seed: 1}\nobjective: {metric: loss}\n"
           "parameters:\n  x: {type: float, min: 0, max: 1}\n  layers: {type: int, min: 1, max: "
           "99}\n"
           "fidelity: {name: epoch, max: 4}\nlauncher: {trainers: 1}\n"
           "algorithm:\n  name: random\n"
           "  scheduler: {name: pbt, population: 4, quantile: 0.25, interval: 1}\n"
           "trainer: {command: [sh, train.sh]}\n"
           "stopping: {trials: "
        << trials << "}\n";
    std::ofstream(folder_ / "train.sh") << kTrain;
  }
  /// Until the optimizer has it.
  testing::AssertionResult enqueue(const std::string& values) {
    const auto asked = type("betatune enqueue demo " + values);
    if (asked.status != 0) return testing::AssertionFailure() << asked.err;
    EXPECT_THAT(asked.err, HasSubstr("takes the next place in the population"));
    const bool taken = support::eventually(
        [&] { return json("betatune status demo --json").at("enqueued") == 1; });
    return taken ? testing::AssertionSuccess() : testing::AssertionFailure() << "nobody takes it";
  }
  Json trial(int id) { return json("betatune show demo " + std::to_string(id) + " --json"); }
  void verify() { EXPECT_EQ(type("betatune replay demo --verify").status, 0); }
};

TEST_F(AskedPopulation, TakesWhatItIsAskedForInPlaceOfTheNextCopy) {
  write(5);
  start();
  // The model of any member: nobody knows yet whom it will go on from, so all of them are tried.
  const Json first = trial(0);
  double lowest = 2;
  Json best;
  for (int id = 0; id < 4; ++id) {
    const Json it = trial(id);
    if (it.at("loss") < lowest) lowest = it.at("loss"), best = it;
  }
  const std::string layers = best.at("params").at("layers").dump();

  ASSERT_TRUE(enqueue("-p x=0.001 -p layers=" + layers));
  go();

  EXPECT_EQ(wait(), 0) << said();
  const Json member = trial(4);
  EXPECT_EQ(member.at("origin"), "enqueued");
  EXPECT_EQ(member.at("params").at("x"), 0.001);
  EXPECT_EQ(member.at("parent"), best.at("id"));
  EXPECT_EQ(trial(member.at("replaces")).at("outcome"), "stopped");
  EXPECT_EQ(member.at("outcome"), "completed");
  EXPECT_THAT(type("betatune explain demo 4").out, HasSubstr("somebody asked for it"));
  verify();

  // It is the best, and its schedule begins with its parent's.
  const Json found = json("betatune best demo --json");
  EXPECT_EQ(found.at("best").at("id"), 4);
  ASSERT_EQ(found.at("schedule").size(), 2u);
  EXPECT_EQ(found.at("schedule")[0].at("trial"), best.at("id"));
  EXPECT_EQ(found.at("schedule")[0].at("until"), found.at("schedule")[1].at("from"));
  EXPECT_EQ(found.at("schedule")[1].at("until"), 4);
  EXPECT_EQ(found.at("schedule"), member.at("schedule"));
  std::string exported;
  for (const Json& each : found.at("schedule")) exported += each.dump() + "\n";
  EXPECT_EQ(type("betatune export jsonl demo --schedule").out, exported);
  for (const char* command : {"betatune best demo", "betatune show demo 4"}) {
    EXPECT_THAT(type(command).out, HasSubstr("  1 to 4  4      0.001\n")) << command;
  }
  EXPECT_EQ(first.at("schedule").size(), 1u);
}

TEST_F(AskedPopulation, BeginsFromNothingWithALayoutThatNobodyHas) {
  write(5);
  start();
  std::set<int> taken;
  for (int id = 0; id < 4; ++id) taken.insert(trial(id).at("params").at("layers").get<int>());
  int layers = 1;
  while (taken.contains(layers)) ++layers;
  ASSERT_TRUE(enqueue("-p x=0.001 -p layers=" + std::to_string(layers)));
  go();

  EXPECT_EQ(wait(), 0) << said();
  const Json member = trial(4);
  EXPECT_EQ(member.at("origin"), "enqueued");
  EXPECT_EQ(member.at("params").at("layers"), layers);
  EXPECT_TRUE(member.at("parent").is_null());
  EXPECT_EQ(member.at("attempt_list")[0].at("from"), 0);
  EXPECT_EQ(member.at("outcome"), "completed");
  verify();
}

TEST_F(AskedPopulation, ThatIsAtItsEndTrainsOneMore) {
  write(4);
  go();
  ASSERT_EQ(type("betatune run study.yaml").status, 0);
  ASSERT_EQ(type("betatune enqueue demo -p x=0.001 -p layers=7").status, 0);
  write(5);

  const auto again = type("betatune run study.yaml");

  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(trial(4).at("outcome"), "completed");
  verify();
}

TEST_F(AskedPopulation, CostsWhoeverAskedForIt) {
  write(4);
  go();
  ASSERT_EQ(type("betatune run study.yaml").status, 0);
  std::string me = type("id -un").out;
  me.erase(me.find_last_not_of('\n') + 1);

  const Json cost = json("betatune cost demo --by user --json");

  ASSERT_EQ(cost.at("groups").size(), 1u);
  EXPECT_EQ(cost.at("groups")[0].at("user"), me);
  EXPECT_EQ(cost.at("groups")[0].at("attempts"), cost.at("total").at("attempts"));
}

}  // namespace
}  // namespace betatune
