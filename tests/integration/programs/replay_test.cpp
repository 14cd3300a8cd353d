/// `betatune replay --verify` on studies that ran for real: killed, resumed, changed behind its
/// back.

#include <csignal>
#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using testing::HasSubstr;

class Replay : public support::UserStudy {
 protected:
  /// Waits at trial 7 until "go" is there, so that it can be killed with six results.
  void write_model_study(int trials) {
    std::ofstream(folder_ / "train.sh")
        << "if [ \"$BETATUNE_TRIAL\" = 7 ]; then\n"
           "  echo yes > started; until [ -e go ]; do sleep 0.02; done\nfi\n"
        << support::kReports;
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo}\nobjective: {metric: loss}\n"  // a seed is drawn
           "parameters:\n  x: {type: float, min: 0, max: 1, default: 0.5}\n"
           "  y: {type: float, min: 0.001, max: 10, scale: log, default: 1}\n"
           "launcher: {trainers: 2}\ntrainer: {command: [sh, train.sh]}\n"
           "stopping: {trials: "
        << trials << "}\n";
  }
  /// Changes the log as somebody with an editor for databases would.
  void tamper(const std::string& sql) {
    const Ended ended = type(
        "python3 -c \"import sqlite3; c = sqlite3.connect("
        "'runs/demo/study.db'); c.execute(\\\"" +
        sql + "\\\"); c.commit()\"");
    ASSERT_EQ(ended.status, 0) << ended.err;
  }
};

TEST_F(Replay, VerifiesAStudyThatWasKilledAndGoneOnWithAndSeesWhatIsChanged) {
  write_model_study(16);
  start();
  const Json running = json("betatune replay demo --verify --json");
  EXPECT_EQ(running.at("verification").at("differing"), 0);
  ::kill(run_, SIGKILL);
  wait();
  ASSERT_TRUE(family_.dies_out());
  go();
  ASSERT_EQ(type("betatune run study.yaml").status, 0);

  const Json replayed = json("betatune replay demo --verify --json");

  EXPECT_EQ(replayed.at("schema"), "betatune.replay/1");
  EXPECT_EQ(replayed.at("trials"), 16);
  EXPECT_EQ(replayed.at("verification").at("verified"), 15);
  EXPECT_EQ(replayed.at("verification").at("first_difference"), nullptr);
  EXPECT_EQ(replayed.at("by_hand").at("initial"), 1);
  EXPECT_GE(replayed.at("decisions").at("verified"), 16);
  EXPECT_EQ(replayed.at("decisions").at("differing"), 0);
  const Ended said = type("betatune replay demo --verify");
  EXPECT_EQ(said.status, 0);
  EXPECT_THAT(said.out, HasSubstr("15 computed again and equal, bit for bit"));
  EXPECT_THAT(type("betatune replay demo").out, HasSubstr("--verify"));

  tamper(
      "UPDATE events SET body = json_set(body, '$.configuration.x', 0.123) "
      "WHERE type = 'trial_created' AND body ->> '$.trial' = 12");
  const Ended changed = type("betatune replay demo --verify");
  EXPECT_EQ(changed.status, 5);
  EXPECT_THAT(changed.err, HasSubstr("trial 12"));
  EXPECT_THAT(changed.err, HasSubstr("parameter x"));
  EXPECT_THAT(changed.err, HasSubstr("recorded    0x1.f7ced916872bp-4 (0.123)"));
}

TEST_F(Replay, SaysWhatAnOlderVersionDidNotRecord) {
  write(3, support::kReports);
  ASSERT_EQ(type("betatune run study.yaml").status, 0);
  tamper("UPDATE events SET body = json_remove(body, '$.basis') WHERE type = 'trial_created'");

  const Ended ended = type("betatune replay demo --verify");

  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("3 (random 3): not verifiable, written by an older version"));
}

TEST_F(Replay, OfNoStudyIsAMistakeOfUse) {
  EXPECT_EQ(type("betatune replay nothing").status, 2);
  EXPECT_EQ(type("betatune replay").status, 2);
}

}  // namespace
}  // namespace betatune
