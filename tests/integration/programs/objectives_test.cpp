// A study with two objectives, from its file to its front, as a user runs it.

#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using ::testing::HasSubstr;

/// x costs the loss what it gains in accuracy; y is only waste.
constexpr const char* kTradesAccuracy =
    "awk -v x=\"$BETATUNE_PARAM_X\" -v y=\"$BETATUNE_PARAM_Y\" 'BEGIN { "
    "printf \"{\\\"loss\\\": %.17g, \\\"accuracy\\\": %.17g}\\n\", x + y, sqrt(x) - y }'\n";

class ObjectivesRun : public support::UserStudy {
 protected:
  void write_two(const std::string& more) {
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo, seed: 1}\n"
           "objectives:\n  - {metric: loss}\n"
           "  - {metric: accuracy, goal: maximize, threshold: 0}\n"
           "parameters:\n  x: {type: float, min: 0, max: 1}\n  y: {type: float, min: 0, max: 1}\n"
           "launcher: {trainers: 1}\ntrainer: {command: [sh, train.sh]}\n"
        << more;
    std::ofstream(folder_ / "train.sh") << kTradesAccuracy;
  }
};

TEST_F(ObjectivesRun, EndsWithAFront) {
  write_two("stopping: {trials: 14}\n");

  const Ended checked = type("betatune check study.yaml");
  EXPECT_THAT(checked.out, HasSubstr("minimize loss, maximize accuracy"));
  const Ended ran = type("betatune run study.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("trials that no other one beats in everything"));
  EXPECT_THAT(ran.err, HasSubstr("accuracy = "));

  const Json front = json("betatune best study.yaml --json");
  EXPECT_EQ(front.at("schema"), "betatune.pareto/1");
  EXPECT_EQ(front.at("reference").at("accuracy"), 0.0);
  ASSERT_GE(front.at("trials").size(), 2u);
  const Json trials = json("betatune trials study.yaml --json").at("trials");
  for (const Json& member : front.at("trials")) {
    const Json& mine = member.at("values");
    for (const Json& other : trials) {
      const Json& theirs = other.at("metrics");
      EXPECT_FALSE(theirs.at("loss") < mine.at("loss") &&
                   theirs.at("accuracy") > mine.at("accuracy"));
    }
  }
  const Json status = json("betatune status study.yaml --json");
  EXPECT_EQ(status.at("front").at("hypervolume"), front.at("hypervolume"));
  EXPECT_EQ(status.at("front").at("trials"), front.at("trials").size());
  EXPECT_THAT(type("betatune status study.yaml").out, HasSubstr("hypervolume"));
  EXPECT_THAT(type("betatune best study.yaml").out, HasSubstr("accuracy"));
  EXPECT_EQ(type("betatune replay study.yaml --verify").status, 0);
}

TEST_F(ObjectivesRun, TheReadyStudyEndsWithAFrontWithinItsLimit) {
  const Ended ran = type("betatune run " BETATUNE_SOURCE_DIR "/configs/trigger.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json front = json("betatune best trigger --json");
  EXPECT_GE(front.at("trials").size(), 8u);
  // Better than 8 kHz at an efficiency of 85 %, which random cuts hardly ever reach.
  EXPECT_GT(front.at("hypervolume"), 5.5);
  for (const Json& member : front.at("trials")) {
    EXPECT_LE(member.at("metrics").at("latency_us"), 2.5);
  }
}

TEST_F(ObjectivesRun, AshaStopsEarlyWhatIsInNoFront) {
  // Without a scheduler asked for: a fidelity is enough.
  write_two(
      "stopping: {trials: 12}\nfidelity: {max: 9, resumable: false}\nalgorithm: {name: random}\n");

  const Ended ran = type("betatune run study.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json rungs = json("betatune status study.yaml --json").at("rungs");
  ASSERT_EQ(rungs.size(), 3u);
  EXPECT_EQ(rungs[0].at("reached"), 12);
  EXPECT_GE(rungs[0].at("went_on"), 4);
  EXPECT_LT(rungs[2].at("reached"), 12);
  EXPECT_EQ(rungs[0].at("best"), nullptr);
  EXPECT_GE(rungs[0].at("front"), 1);
  EXPECT_THAT(type("betatune status study.yaml").out, HasSubstr("ended  front"));
  EXPECT_FALSE(json("betatune best study.yaml --json").at("trials").empty());
  EXPECT_EQ(type("betatune replay study.yaml --verify").status, 0);

  const Json played = json("betatune simulate --from study.yaml --json").at("schedulers");
  EXPECT_EQ(played.size(), 5u) << "those that take two objectives";
  for (const Json& each : played) EXPECT_GE(each.at("front"), 1) << each;
}

TEST_F(ObjectivesRun, ASchedulerThatComparesOneNumberIsRefused) {
  write_two("stopping: {trials: 4}\nfidelity: {max: 9}\nalgorithm: {scheduler: median-stopping}\n");

  const Ended checked = type("betatune check study.yaml");

  EXPECT_NE(checked.status, 0);
  EXPECT_THAT(checked.out + checked.err, HasSubstr("E0505"));
  EXPECT_THAT(checked.out + checked.err, HasSubstr("study.yaml:13"));
}

}  // namespace
}  // namespace betatune
