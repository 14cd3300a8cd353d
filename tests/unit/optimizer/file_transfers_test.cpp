/// What `betatune status` knows of files on their way.

#include "optimizer/file_transfers.hpp"

#include <gtest/gtest.h>

#include "optimizer/cli/status_text.hpp"
#include "optimizer/roster_file.hpp"
#include "tests/support/coordinator_harness.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1u << 20;
const FileTransfers::Key kKey{TrialId{0}, AttemptId{1}};

PutFile put(const std::string& path, std::uint64_t size) {
  return {kKey.first, kKey.second, "checkpoints/trial-0/attempt-1-step-2", path, size, "", 0, ""};
}
FileStored stored(const PutFile& put, std::uint64_t offset) {
  return {put.trial, put.attempt, put.folder, put.path, offset, false, ""};
}
FileData data(const std::string& path, std::uint64_t size, std::uint64_t offset,
              std::uint64_t bytes) {
  return {kKey.first,
          kKey.second,
          "checkpoints/trial-0/attempt-0-step-1",
          path,
          size,
          offset,
          "",
          std::string(bytes, 'x')};
}
GetFile get(const std::string& path) {
  return {kKey.first, kKey.second, "checkpoints/trial-0/attempt-0-step-1", path, 0};
}

TEST(FileTransfers, AreThereFromTheirFirstAnswerToTheirLast) {
  FileTransfers files;
  const PutFile model = put("model", 10);

  files.told(model, stored(model, 4), seconds(1));
  ASSERT_EQ(files.all().size(), 1u);
  EXPECT_EQ(files.all().at(kKey).bytes, 4u);
  EXPECT_EQ(files.all().at(kKey).size, 10u);
  EXPECT_EQ(files.all().at(kKey).way, FileWay::sends);

  files.told(model, stored(model, 10), seconds(2));
  EXPECT_TRUE(files.all().empty());
}

TEST(FileTransfers, OfATrainerThatFetchesCountWhatItWasGiven) {
  FileTransfers files;

  files.told(get("model"), data("model", 10, 2, 4), seconds(1));
  ASSERT_EQ(files.all().size(), 1u);
  EXPECT_EQ(files.all().at(kKey).bytes, 6u);
  EXPECT_EQ(files.all().at(kKey).way, FileWay::fetches);

  files.told(get("model"), data("model", 10, 6, 4), seconds(1));
  EXPECT_TRUE(files.all().empty());
}

TEST(FileTransfers, StandStillWhileTheyAreAskedForAgainAndWhileTheDiskIsFull) {
  FileTransfers files;
  const PutFile model = put("model", 10);
  files.told(model, std::nullopt, seconds(1));
  EXPECT_EQ(files.all().at(kKey).bytes, 0u);

  files.told(model, stored(model, 4), seconds(2));
  files.told(model, stored(model, 4), seconds(7));
  files.told(model, std::nullopt, seconds(12));

  EXPECT_EQ(files.all().at(kKey).bytes, 4u);
  EXPECT_EQ(files.all().at(kKey).moved, seconds(2));
}

TEST(FileTransfers, ALateAnswerAboutAnotherFileEndsNothing) {
  FileTransfers files;
  const PutFile first = put("first", 10), second = put("second", 10);
  files.told(first, stored(first, 4), seconds(1));
  files.told(second, stored(second, 3), seconds(2));

  files.told(first, stored(first, 10), seconds(3));

  EXPECT_EQ(files.all().at(kKey).path, "second");
}

TEST(RosterFile, HasTheFilesOfATrainerThatDoesNotSeeTheFolder) {
  support::TemporaryDirectory folder;
  test::Harness study(test::stepped_study(3, "fifo"));
  const Assign assign = study.begin("node");
  FileTransfers files;
  const PutFile model = put("model", 4 * kMiB);
  files.told(model, stored(model, kMiB), study.now);
  RosterFile file(folder.path());

  file.files(files);
  file.tick(study.coordinator(), study.now + seconds(12));

  const auto seen = read_roster(folder.path());
  ASSERT_TRUE(seen);
  ASSERT_EQ(seen->trainers.at(0).files.size(), 1u);
  EXPECT_EQ(seen->trainers[0].files[0].bytes, kMiB);
  EXPECT_NE(trainers_text(*seen, 9).find("\n  sends checkpoints/trial-0/attempt-1-step-2/model: "
                                         "1.0 of 4.0 MiB, no further for 12.0 s\n"),
            std::string::npos)
      << trainers_text(*seen, 9);
}

TEST(FileTransfers, OfAnAttemptThatIsOverAreForgotten) {
  test::Harness study(test::stepped_study(3, "fifo"));
  const Assign assign = study.begin("node");
  FileTransfers files;
  const PutFile model = put("model", 10);
  files.told(model, stored(model, 4), seconds(1));
  files.keep_current(study.state());
  ASSERT_EQ(files.all().size(), 1u);

  study.done("node", assign, 0, AttemptEnd::failed, FailureClass::user);
  files.keep_current(study.state());

  EXPECT_TRUE(files.all().empty());
}

}  // namespace
}  // namespace betatune
