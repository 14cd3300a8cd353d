/// A store that cannot be used, as a user meets it: nothing is lost, the exit code is right, and
/// the message says what to do.

#include <gmock/gmock.h>
#include <optional>
#include <sys/stat.h>

#include "tests/support/own_disk.hpp"
#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using support::Ended;
using testing::HasSubstr;
using testing::Not;

class StoreFault : public support::UserStudy {
 protected:
  /// A finished study of three trials in runs/demo.
  void finish_study() {
    write(3, support::kReports);
    ASSERT_EQ(type("betatune run study.yaml").status, 0);
  }
  void expect_fault(const std::string& command, const std::string& words) {
    const Ended ended = type(command);
    EXPECT_EQ(ended.status, 5) << command << "\n" << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(words)) << command;
    EXPECT_EQ(ended.out, "") << command;
  }
  void expect_fault_everywhere(const std::string& words) {
    for (const char* command : {"run study.yaml", "status demo", "trials demo", "show demo 0",
                                "best demo", "export jsonl demo", "enqueue demo -p x=0.1"}) {
      expect_fault(std::string("betatune ") + command, words);
    }
  }
  fs::path database() const { return folder_ / "runs/demo/study.db"; }
};

TEST_F(StoreFault, ATruncatedStudyIsLeftAsItIsAndToldOfByEveryCommand) {
  finish_study();
  const auto half = fs::file_size(database()) / 2;
  fs::resize_file(database(), half);

  expect_fault_everywhere("runs/demo/study.db");

  EXPECT_EQ(fs::file_size(database()), half);
  const Ended fresh = type("betatune run study.yaml --fresh");
  EXPECT_EQ(fresh.status, 0) << fresh.err;
  EXPECT_EQ(fs::file_size(folder_ / "runs/demo.1/study.db"), half);
}

TEST_F(StoreFault, AStudyOfANewerVersionIsLeftAsItIsAndToldOfByEveryCommand) {
  finish_study();
  {
    // SQLite's user_version, big-endian.
    std::fstream file(database(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60);
    file.write("\0\0\0\x63", 4);
  }
  const std::string before = support::file_text(database());

  expect_fault_everywhere("written by a newer Betatune");

  EXPECT_EQ(support::file_text(database()), before);
}

TEST_F(StoreFault, AnEmptyFileIsNoStudy) {
  write(1, support::kReports);
  fs::create_directories(folder_ / "runs/demo");
  std::ofstream(database()).flush();

  expect_fault("betatune run study.yaml", "move it away or give another storage.path");
}

TEST_F(StoreFault, AReadOnlyStudyIsReadAndNotRun) {
  support::OwnDisk disk(8u << 20);
  if (!disk.why_not().empty()) GTEST_SKIP() << disk.why_not();
  write(1, support::kReports, "storage: {path: " + (disk.path() / "study").string() + "}\n");
  ASSERT_EQ(type("betatune run study.yaml").status, 0);
  disk.make_read_only();
  // More to do than the budget of before.
  write(2, support::kReports, "storage: {path: " + (disk.path() / "study").string() + "}\n");

  expect_fault("betatune run study.yaml", "make its folder writable for this user");

  EXPECT_EQ(json("betatune status study.yaml --json").at("trials").at("completed"), 1);
  EXPECT_EQ(type("betatune best study.yaml").status, 0);
}

TEST_F(StoreFault, AFullDiskHoldsTheStudyUntilThereIsRoomAndLosesNothing) {
  support::OwnDisk disk(8u << 20);
  if (!disk.why_not().empty()) GTEST_SKIP() << disk.why_not();
  write(20, support::kReportsAtGo, "storage: {path: " + (disk.path() / "study").string() + "}\n");
  start();
  disk.fill();
  go();
  EXPECT_TRUE(says("holding everything until the study can be written")) << said();

  disk.make_room();

  EXPECT_EQ(wait(), 0) << said();
  EXPECT_THAT(said(), HasSubstr("the study can be written again; going on"));
  EXPECT_EQ(json("betatune status study.yaml --json").at("trials").at("completed"), 20);
}

using StudyFile = StoreFault;

TEST_F(StudyFile, AChangedSpaceIsShownAndRunOnlyWhenAccepted) {
  finish_study();
  std::string yaml = support::file_text(folder_ / "study.yaml");
  yaml.replace(yaml.find("max: 1}"), 7, "max: 2}");
  yaml.replace(yaml.find("trials: 3"), 9, "trials: 5");
  std::ofstream(folder_ / "study.yaml") << yaml;

  const Ended refused = type("betatune run study.yaml");

  EXPECT_EQ(refused.status, 3);
  EXPECT_THAT(refused.err, HasSubstr("parameters.x.max: 1 -> 2"));
  EXPECT_THAT(refused.err, HasSubstr("betatune run study.yaml --accept-changes"));
  EXPECT_THAT(refused.err, HasSubstr("betatune run study.yaml --fresh"));
  EXPECT_EQ(json("betatune status demo --json").at("trials").at("total"), 3);

  const Ended accepted = type("betatune run study.yaml --accept-changes");
  EXPECT_EQ(accepted.status, 0) << accepted.err;
  EXPECT_EQ(json("betatune status demo --json").at("trials").at("total"), 5);
  EXPECT_EQ(type("betatune run study.yaml").status, 0) << "accepted once is enough";
}

TEST_F(StudyFile, AGrownBudgetIsNoChange) {
  finish_study();
  write(5, support::kReports);

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(json("betatune status demo --json").at("trials").at("total"), 5);
}

using SocketPath = StoreFault;

TEST_F(SocketPath, ThatIsTooLongIsRefusedWithTheWayOut) {
  write(1, support::kReports,
        "server: {bind: \"ipc://" + (folder_ / std::string(120, 's')).string() + "\"}\n");

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 3) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("choose a shorter one, or ipc://auto"));
}

TEST_F(SocketPath, OfAStudyInADeepFolderIsFoundElsewhere) {
  write(2, support::kReports, "storage: {path: " + std::string(100, 'a') + "/b}\n");

  const Ended ended =
      type("XDG_RUNTIME_DIR='" + folder_.path().string() + "' betatune run study.yaml");

  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_TRUE(exists(std::string(100, 'a') + "/b/study.db"));
}

}  // namespace
}  // namespace betatune
