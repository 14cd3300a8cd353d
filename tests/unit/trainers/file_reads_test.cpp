/// Beats wait for every call of the fetcher and of the sender: none may read a large file at once,
/// however large it is.

#include <fstream>
#include <gtest/gtest.h>

#include "tests/support/file_text.hpp"
#include "tests/support/temporary_directory.hpp"
#include "trainers/file_fetcher.hpp"
#include "trainers/file_sender.hpp"
#include "transport/folder_exchange.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr WorkKey kReader{TrialId{0}, AttemptId{1}};
constexpr std::chrono::milliseconds kAlways{0};
constexpr std::size_t kFileBytes = 24u << 20;
/// Parts that may be on the way, or a step of a digest; and what the test itself reads.
constexpr std::uint64_t kReadMost = (4u << 20) + (64u << 10);

/// Bytes that this process has read, whatever from; 0 where the system does not count them.
/// source: proc(5), /proc/pid/io
std::uint64_t bytes_read() {
  std::ifstream file("/proc/self/io");
  std::string name;
  std::uint64_t count = 0;
  return file >> name >> count && name == "rchar:" ? count : 0;
}

class FileReads : public ::testing::Test {
 protected:
  void SetUp() override {
    if (bytes_read() == 0) GTEST_SKIP() << "this system does not count what a process reads";
    const std::string block(1 << 20, 'x');
    std::ofstream file(source_ / "model", std::ios::binary);
    for (std::size_t at = 0; at < kFileBytes; at += block.size()) file << block;
  }
  void measured(const std::function<void()>& call) {
    const std::uint64_t before = bytes_read();
    call();
    most_ = std::max(most_, bytes_read() - before);
  }
  template <class M>
  std::vector<M> taken() {
    std::vector<M> out;
    for (const Message& each : std::exchange(sent_, {})) out.push_back(std::get<M>(each));
    return out;
  }

  support::TemporaryDirectory source_, study_, here_;
  std::vector<Message> sent_;
  std::optional<Status> ended_;
  std::uint64_t most_ = 0;
};

TEST_F(FileReads, OfACallAreFewWhileACheckpointIsFetched) {
  const std::string uri = "checkpoints/trial-0/attempt-1-step-1";
  fs::create_directories((study_ / uri).parent_path());
  fs::copy(source_.path(), study_ / uri);
  ArtifactRef checkpoint{uri, 1, kFileBytes};
  checkpoint.digest = seal_folder(study_ / uri).value().digest;
  const FolderExchange optimizer(study_.path());
  FileFetcher fetcher([&](const Message& message) { sent_.push_back(message); },
                      [&](const Order&, const Status& status) { ended_ = status; });

  fetcher.take({kReader, checkpoint, here_ / "checkpoint"});
  measured([&] { fetcher.tick(kAlways); });
  while (!ended_ && !sent_.empty()) {
    for (const GetFile& get : taken<GetFile>()) {
      const FileData data = optimizer.get(get);
      measured([&] { fetcher.received(data, kAlways); });
    }
  }

  ASSERT_TRUE(ended_ && *ended_);
  EXPECT_EQ(fs::file_size(here_ / "checkpoint" / "model"), kFileBytes);
  EXPECT_LE(most_, kReadMost);
}

TEST_F(FileReads, OfACallAreFewWhileAFileIsSentWhoseDigestNobodyHasGiven) {
  FolderExchange optimizer(study_.path());
  FileSender sender([&](const Message& message) { sent_.push_back(message); },
                    [&](const Parcel&, const Status& status) { ended_ = status; });

  sender.take({kReader, "trials/0/attempt-1", source_.path(), {{"model", ""}}});
  measured([&] { sender.tick(kAlways); });
  EXPECT_TRUE(sent_.empty()) << "its digest is not known yet";
  for (bool more = true; more;) measured([&] { more = sender.step(kAlways); });
  while (!ended_ && !sent_.empty()) {
    for (const PutFile& put : taken<PutFile>()) {
      const FileStored stored = optimizer.put(put).value();
      measured([&] { sender.received(stored, kAlways); });
    }
  }

  ASSERT_TRUE(ended_ && *ended_);
  EXPECT_EQ(fs::file_size(study_ / "trials/0/attempt-1/model"), kFileBytes);
  EXPECT_LE(most_, kReadMost);
}

}  // namespace
}  // namespace betatune
