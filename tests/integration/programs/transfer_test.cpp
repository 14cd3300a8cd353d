/// A study that learns from an earlier one, as a user has it: named, read once, gone without.

#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using testing::HasSubstr;

class Transfer : public support::UserStudy {
 protected:
  /// A trainer whose loss is (x - 0.7)^2 + offset.
  void write_study(const std::string& name, const std::string& more, int trials = 8) {
    std::ofstream(folder_ / "train.sh") << "awk -v x=$BETATUNE_PARAM_X 'BEGIN {printf "
                                           "\"{\\\"loss\\\": %.17g}\\n\", (x - 0.7)^2}'\n";
    std::ofstream(folder_ / (name + ".yaml"))
        << "version: 1\nstudy: {name: " << name
        << ", seed: 3}\nobjective: {metric: loss}\n"
           "parameters:\n  x: {type: float, min: 0, max: 1}\nlauncher: {trainers: 1}\n"
           "trainer: {command: [sh, train.sh]}\nstopping: {trials: "
        << trials << "}\n"
        << more;
  }
};

TEST_F(Transfer, BeginsWithTheBestAndNeedsTheEarlierStudyOnlyOnce) {
  write_study("old", "");
  ASSERT_EQ(type("betatune run old.yaml").status, 0);
  const Json best = json("betatune best old --json");
  write_study("new", "algorithm: {transfer: {studies: [old]}}\n", 6);

  ASSERT_EQ(type("betatune run new.yaml").status, 0);

  const Json first = json("betatune show new 0 --json");
  EXPECT_EQ(first.at("origin"), "earlier");
  EXPECT_EQ(first.at("params"), best.at("best").at("params"));
  EXPECT_THAT(type("betatune explain new 0").out, HasSubstr("the best of the earlier study old"));
  ASSERT_EQ(type("rm -r runs/old").status, 0);
  write_study("new", "algorithm: {transfer: {studies: [old]}}\n", 9);
  const Ended again = type("betatune run new.yaml");
  EXPECT_EQ(again.status, 0) << again.err;
  const Json replayed = json("betatune replay new --verify --json");
  EXPECT_EQ(replayed.at("verification").at("differing"), 0);
  EXPECT_EQ(replayed.at("verification").at("verified"), 9);
}

TEST_F(Transfer, SaysWhichStudyItCannotLearnFrom) {
  write_study("new", "algorithm:\n  transfer:\n    studies: [nowhere]\n");
  for (const char* command : {"betatune run new.yaml", "betatune check new.yaml"}) {
    const Ended ended = type(command);
    EXPECT_EQ(ended.status, 3) << command;
    EXPECT_THAT(ended.err, HasSubstr("E0411")) << command;
    EXPECT_THAT(ended.err, HasSubstr("new.yaml:11:15")) << command;
    EXPECT_THAT(ended.err, HasSubstr("cannot learn from `nowhere`")) << command;
  }
  EXPECT_FALSE(exists("runs/new/study.db"));
}

TEST_F(Transfer, RefusesAStudyOfAnotherObjective) {
  write_study("old", "", 2);
  ASSERT_EQ(type("betatune run old.yaml").status, 0);
  write_study("new", "algorithm: {transfer: {studies: [old]}}\n");
  ASSERT_EQ(type("sed -i 's/metric: loss/metric: loss, goal: maximize/' new.yaml").status, 0);

  const Ended ended = type("betatune run new.yaml");

  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err, HasSubstr("it has another objective: minimize loss, this study has "
                                   "maximize loss"));
}

}  // namespace
}  // namespace betatune
