// Trainers with keys on an address that other machines could reach, as users start them.

#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Not 127.0.0.1, so that keys are asked for as they are on any network.
constexpr const char* kRun = "betatune run study.yaml --bind 'tcp://127.0.0.2:*'";

class ManyMachines : public support::UserStudy {
 protected:
  void SetUp() override {
    write_yaml("stopping: {trials: 5}\n");
    std::ofstream(folder_ / "train.sh") << support::kReports;
  }
  /// With a home of its own, where the keys are.
  Ended at_home(const std::string& command) {
    return type("export HOME=$PWD; unset XDG_CONFIG_HOME; " + command);
  }
  /// Makes the study one whose trainers connect by themselves.
  void make_external() {
    at_home(
        "sed -i -e 's/^launcher:.*//' -e 's/^trainer:.*/trainer: {external: true}/' study.yaml");
  }
  /// Runs the study in the background, and `then` with its address in $address; `run.err` has its
  /// words.
  Ended run_and(const std::string& then) {
    return at_home(
        std::string(kRun) +
        " 2>run.err & run=$!; until grep -q 'waiting for trainers' run.err; do sleep 0.05; "
        "done; address=$(sed -n 's/.* at \\(tcp[^ ,]*\\).*/\\1/p' run.err); " +
        then);
  }
  std::string said_by_run() const { return support::file_text(folder_ / "run.err"); }
};

TEST_F(ManyMachines, WithoutKeysNoAddressIsOpenedThatOthersCanReach) {
  const Ended ran = at_home(kRun);

  EXPECT_EQ(ran.status, 3);
  EXPECT_THAT(ran.err, HasSubstr("betatune key new"));
  EXPECT_EQ(at_home("betatune key list").status, 0);
}

TEST_F(ManyMachines, TrainersOfTheStudyItselfHaveAKeyOfTheirOwn) {
  ASSERT_EQ(at_home("betatune key new site").status, 0);

  const Ended ran = at_home(kRun);

  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(json("betatune status study.yaml --json").at("trials").at("completed"), 5);
  EXPECT_THAT(type("stat -c %a runs/demo/local.key").out, StartsWith("600"));
  EXPECT_THAT(type("cat runs/demo/logs/*").out, Not(HasSubstr("secret")));
}

TEST_F(ManyMachines, AStudyThatStartsNoTrainerSaysHowToStartOne) {
  const Ended ran = at_home(
      "betatune run study.yaml --trainers 0 --bind 'tcp://127.0.0.1:*' 2>run.err & run=$!; "
      "until grep -q 'start them with' run.err; do sleep 0.05; done; "
      "$(sed -n 's/.*start them with  //p' run.err); wait $run");

  EXPECT_EQ(ran.status, 0) << ran.err << said_by_run();
  EXPECT_EQ(json("betatune status study.yaml --json").at("trials").at("completed"), 5);
}

TEST_F(ManyMachines, ATrainerComesInWithItsKeyAndIsNamedByIt) {
  ASSERT_EQ(at_home("betatune key new site --user alice --slots 2").status, 0);
  make_external();
  std::ofstream(folder_ / "client.py")
      << "import sys; sys.path.insert(0, '" BETATUNE_SOURCE_DIR
         "/trainers/python')\n"
         "import betatune\n"
         "betatune.Trainer(sys.argv[1], key_file='site.key', name='node-7').run("
         "lambda trial: {'loss': trial.params['x']})\n";
  if (type("python3 -c 'import zmq' || /usr/bin/python3 -c 'import zmq'").status != 0) {
    GTEST_SKIP() << "without pyzmq";
  }

  const Ended ran = run_and(
      "python=python3; $python -c 'import zmq' 2>/dev/null || python=/usr/bin/python3; "
      "$python client.py $address; wait $run");

  EXPECT_EQ(ran.status, 0) << ran.err << said_by_run();
  const Json trials = json("betatune trials study.yaml --json").at("trials");
  EXPECT_EQ(trials.size(), 5u);
  for (const Json& each : trials) EXPECT_EQ(each.at("trainer"), "site/node-7");
  EXPECT_THAT(at_home("betatune key list").out, HasSubstr("alice"));
}

TEST_F(ManyMachines, WhoComesWithoutAKeyOrWithARevokedOneIsToldSo) {
  ASSERT_EQ(
      at_home("betatune key new site && betatune key new old && betatune key revoke old").status,
      0);
  make_external();

  const Ended ran = run_and(
      "betatune-trainer --connect $address --key old.key; echo with-old $?; "
      "kill -INT $run; wait $run; true");

  EXPECT_THAT(ran.out, HasSubstr("with-old 7"));
  EXPECT_THAT(ran.err, HasSubstr("does not let the key `old` in"));
}

TEST_F(ManyMachines, StatusTellsWhoIsConnected) {
  ASSERT_EQ(at_home("betatune key new site").status, 0);
  std::ofstream(folder_ / "train.sh") << support::kReportsAtGo;

  const Ended ran = at_home(
      std::string(kRun) +
      " 2>run.err & run=$!; while [ -z \"$address\" ]; do sleep 0.1; address=$(betatune status "
      "study.yaml --json 2>/dev/null | sed -n 's/.*\"endpoint\":\"\\([^\"]*\\)\".*/\\1/p'); done; "
      "betatune-trainer --connect $address --key site.key --name node-7 --slots 3 & trainer=$!; "
      "until betatune status study.yaml | grep -q node-7; do sleep 0.1; done; "
      "betatune status study.yaml; betatune status study.yaml --json > status.json; "
      "touch go; wait $run $trainer");

  EXPECT_EQ(ran.status, 0) << ran.err << said_by_run();
  EXPECT_THAT(ran.out, HasSubstr("2 connected"));
  EXPECT_THAT(ran.out, HasSubstr("site/node-7: 3 slots"));
  const Json status = Json::parse(support::file_text(folder_ / "status.json"));
  EXPECT_EQ(status.at("roster").at("trainers").at(1).at("name"), "site/node-7");
  EXPECT_EQ(json("betatune status study.yaml --json").at("roster"), nullptr) << "it has ended";
}

TEST_F(ManyMachines, KeysAreMadeListedReplacedAndRevoked) {
  EXPECT_THAT(at_home("betatune key new a").out, StartsWith("a.key"));
  EXPECT_THAT(at_home("betatune key new a").err, HasSubstr("a.key: is there already"));
  EXPECT_EQ(at_home("betatune key new a -o b.key").status, 2);
  EXPECT_EQ(at_home("betatune key new ../a -o c.key").status, 2);
  EXPECT_THAT(type("ls").out, Not(HasSubstr("c.key"))) << "no secret of a key that was not made";
  const Json before = Json::parse(at_home("betatune key list --json").out);
  EXPECT_EQ(at_home("betatune key rotate a -o new.key").status, 0);
  const Json after = Json::parse(at_home("betatune key list --json").out);
  EXPECT_EQ(after.at("keys").size(), 1u);
  EXPECT_NE(after.at("keys").at(0).at("public"), before.at("keys").at(0).at("public"));
  EXPECT_EQ(after.at("server"), before.at("server"));
  EXPECT_EQ(at_home("betatune key revoke a").status, 0);
  EXPECT_EQ(at_home("betatune key revoke a").status, 2);
  EXPECT_THAT(type("stat -c %a new.key").out, StartsWith("600"));
}

TEST_F(ManyMachines, LogsShowWhatATrialWrote) {
  std::ofstream(folder_ / "train.sh") << "echo hello from $BETATUNE_TRIAL\n" << support::kReports;
  ASSERT_EQ(type("betatune run study.yaml").status, 0);

  const Ended shown = type("betatune logs study.yaml 3");

  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("hello from 3"));
  EXPECT_THAT(shown.err, HasSubstr("attempt-1/log"));
  EXPECT_EQ(type("betatune logs study.yaml 3 -n 1").out.find("hello"), std::string::npos);
  EXPECT_EQ(type("betatune logs study.yaml 99").status, 2);
  EXPECT_EQ(type("betatune logs study.yaml 3 --attempt 2").status, 2);
  EXPECT_THAT(type("betatune logs study.yaml").err, HasSubstr("local-0.log"));
}

}  // namespace
}  // namespace betatune
