/// What the optimizer's side of a travelling folder takes, and what it refuses.

#include "transport/folder_exchange.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "searchspaces/limits.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/temporary_directory.hpp"
#include "transport/digest.hpp"
#include "transport/folder_mark.hpp"
#include "transport/folder_names.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kFolder = "checkpoints/trial-1/attempt-2-step-3";
constexpr const char* kLogFolder = "trials/1/attempt-2";

class Exchange : public ::testing::Test {
 protected:
  static PutFile file(const std::string& path, const std::string& bytes,
                      const std::string& folder = kFolder) {
    return {TrialId{1}, AttemptId{2}, folder, path, bytes.size(), digest_of(bytes), 0, bytes};
  }
  FileStored put(const PutFile& message) { return exchange_.put(message).value(); }
  /// The list of these files, as a trainer would seal them.
  static PutFile list(const std::map<std::string, std::string>& files) {
    std::string text;
    for (const auto& [path, bytes] : files) text += digest_of(bytes) + "  " + path + "\n";
    return file("B2SUMS", text);
  }
  bool published() const { return fs::exists(study_ / kFolder); }

  support::TemporaryDirectory study_;
  FolderExchange exchange_{study_.path()};
};

TEST_F(Exchange, ACheckpointIsThereOnceItsListHasArrived) {
  EXPECT_EQ(put(file("model", "weights")).offset, 7u);
  EXPECT_FALSE(published());

  EXPECT_TRUE(put(list({{"model", "weights"}})).complete);

  EXPECT_EQ(support::file_text(study_.path() / kFolder / "model"), "weights");
  EXPECT_TRUE(put(list({{"model", "weights"}})).complete) << "asked again, the answer was lost";
  EXPECT_EQ(put(file("model", "weights")).offset, 7u);
  EXPECT_TRUE(fs::is_empty(study_.path() / "incoming"));
}

TEST_F(Exchange, ACheckpointIsNotThereWhileAFileIsMissingOrIsAnotherOne) {
  put(file("model", "weights"));
  EXPECT_THAT(put(list({{"model", "weights"}, {"state", "s"}})).problem, HasSubstr("state"));

  put(file("model", "other"));
  EXPECT_THAT(put(list({{"model", "weights"}})).problem, HasSubstr("model"));

  PutFile half = file("model", "weights");
  half.bytes.resize(3);
  EXPECT_EQ(put(half).offset, 3u);
  EXPECT_THAT(put(list({{"model", "weights"}})).problem, HasSubstr("model"));
  EXPECT_FALSE(published());
}

TEST_F(Exchange, BytesWithAnotherDigestAreAskedForAgainAndThenRefused) {
  PutFile wrong = file("model", "weights");
  wrong.bytes = "weightz";

  EXPECT_EQ(put(wrong).offset, 0u);
  EXPECT_EQ(put(wrong).offset, 0u);
  EXPECT_THAT(put(wrong).problem, HasSubstr("digest"));
}

TEST_F(Exchange, BytesThatDoNotFollowChangeNothing) {
  PutFile part = file("model", "weights");
  part.offset = 3;
  part.bytes = "ghts";
  EXPECT_EQ(put(part).offset, 0u) << "a part before it was lost";

  part.offset = 0;
  part.bytes = "weights and more";
  EXPECT_THAT(put(part).problem, HasSubstr("size"));
}

TEST_F(Exchange, AnotherCheckpointNeverTakesThePlaceOfOne) {
  put(file("model", "weights"));
  put(list({{"model", "weights"}}));

  EXPECT_THAT(put(list({{"model", "other"}})).problem, HasSubstr("another checkpoint"));
  EXPECT_EQ(support::file_text(study_.path() / kFolder / "model"), "weights");
}

TEST_F(Exchange, WhatIsKnownDoesNotTravelTwice) {
  const std::string large(1 << 20, 'x');
  PutFile asks = file("model", large);
  asks.bytes.clear();
  EXPECT_EQ(put(asks).offset, 0u);
  for (std::size_t at = 0; at < large.size(); at += limits::kFileChunkBytes) {
    PutFile part = file("model", large);
    part.offset = at;
    part.bytes = large.substr(at, limits::kFileChunkBytes);
    put(part);
  }
  ASSERT_TRUE(put(list({{"model", large}})).complete);

  asks.attempt = AttemptId{3};
  asks.folder = "checkpoints/trial-1/attempt-3-step-3";

  EXPECT_EQ(put(asks).offset, large.size());
}

TEST_F(Exchange, FilesOfAnAttemptsFolderStandAlone) {
  EXPECT_TRUE(put(file("log", "words\n", kLogFolder)).complete);
  EXPECT_TRUE(put(file("plots/roc.svg", "<svg/>", kLogFolder)).complete);

  EXPECT_EQ(support::file_text(study_.path() / kLogFolder / "log"), "words\n");
  EXPECT_EQ(support::file_text(study_.path() / kLogFolder / "plots/roc.svg"), "<svg/>");
}

TEST_F(Exchange, APathThatLeavesTheFolderIsRefused) {
  for (const char* path :
       {"", "/etc/passwd", "../x", "a/../../x", "a//b", ".", "a/", "a\nb", "a\\b"}) {
    EXPECT_FALSE(put(file(path, "x")).problem.empty()) << path;
    EXPECT_FALSE(is_file_path(path)) << path;
  }
  put(file("a", "x"));
  EXPECT_FALSE(put(file("a/b", "x")).problem.empty()) << "a file is no folder";
  EXPECT_FALSE(is_file_path(std::string(300, 'a')));
  EXPECT_TRUE(is_file_path("a/b.pt"));
}

TEST_F(Exchange, WhatIsLeftOfAnAttemptThatIsOverGoes) {
  put(file("model", "weights"));
  ASSERT_FALSE(fs::is_empty(study_.path() / "incoming"));

  exchange_.forget(TrialId{1}, AttemptId{2});

  EXPECT_TRUE(fs::is_empty(study_.path() / "incoming"));
}

TEST_F(Exchange, WhatAKillHasLeftGoesAtTheStartAndTheRestAtTheEnd) {
  fs::create_directories(study_.path() / "incoming" / "7");
  {
    FolderExchange again(study_.path());
    EXPECT_FALSE(fs::exists(study_.path() / "incoming"));
    again.put(file("model", "weights"));
    EXPECT_TRUE(fs::exists(study_.path() / "incoming"));
  }
  EXPECT_FALSE(fs::exists(study_.path() / "incoming"));
}

TEST_F(Exchange, FilesAreGivenInParts) {
  const std::string large(limits::kFileChunkBytes + 10, 'x');
  fs::create_directories(study_.path() / kFolder);
  std::ofstream(study_.path() / kFolder / "model") << large;
  GetFile get{TrialId{1}, AttemptId{2}, kFolder, "model", 0};

  EXPECT_EQ(exchange_.get(get).bytes.size(), limits::kFileChunkBytes);
  get.offset = limits::kFileChunkBytes;
  EXPECT_EQ(exchange_.get(get).bytes.size(), 10u);
  EXPECT_EQ(exchange_.get(get).size, large.size());
  get.offset = large.size();
  EXPECT_TRUE(exchange_.get(get).bytes.empty());
  get.path = "other";
  EXPECT_THAT(exchange_.get(get).problem, HasSubstr("missing"));
  get.path = "../../../study.db";
  EXPECT_FALSE(exchange_.get(get).problem.empty());
}

TEST(FolderNames, ACheckpointsFolderIsItsAttemptsOwn) {
  EXPECT_TRUE(is_checkpoint_of(kFolder, TrialId{1}, AttemptId{2}));
  EXPECT_FALSE(is_checkpoint_of(kFolder, TrialId{1}, AttemptId{3}));
  EXPECT_FALSE(is_checkpoint_of(kFolder, TrialId{2}, AttemptId{2}));
  EXPECT_FALSE(is_checkpoint_of(std::string(kFolder) + "/..", TrialId{1}, AttemptId{2}));
  EXPECT_FALSE(is_checkpoint_of("checkpoints/trial-1/attempt-2-step-", TrialId{1}, AttemptId{2}));
  EXPECT_EQ(attempt_folder_name(TrialId{1}, AttemptId{2}), kLogFolder);
}

TEST(FolderMark, TellsTheStudysFolderFromAnOlderCopyOfIt) {
  support::TemporaryDirectory study, copy;
  const std::string first = renew_folder_mark(study.path()).value();
  fs::copy(study.path(), copy.path(), fs::copy_options::recursive);

  const std::string mark = renew_folder_mark(study.path()).value();

  EXPECT_TRUE(has_folder_mark(study.path(), mark));
  EXPECT_FALSE(has_folder_mark(copy.path(), mark));
  EXPECT_FALSE(has_folder_mark(copy.path() / "nowhere", mark));
}

}  // namespace
}  // namespace betatune
