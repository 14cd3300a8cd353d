/// Folders between a trainer that does not see the study's folder and its optimizer, over a network
/// that loses and repeats messages, with both sides losing their memory: what arrives is what was
/// sent, byte for byte, or is not there.

#include <deque>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <utility>

#include "searchspaces/limits.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/for_all.hpp"
#include "tests/support/temporary_directory.hpp"
#include "trainers/file_fetcher.hpp"
#include "trainers/file_sender.hpp"
#include "transport/codec.hpp"
#include "transport/folder_exchange.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using test::for_all;
using Milliseconds = std::chrono::milliseconds;

constexpr WorkKey kKey{TrialId{3}, AttemptId{2}};
constexpr const char* kFolder = "checkpoints/trial-3/attempt-2-step-7";

struct Files {
  std::map<std::string, std::string> contents;
};

std::string random_bytes(Stream& stream, std::size_t count) {
  std::string bytes(count, ' ');
  for (char& each : bytes) each = static_cast<char>(stream.below(256));
  return bytes;
}

/// Sizes about those of a part, and of none.
Files random_files(Stream& stream) {
  constexpr std::size_t kPart = limits::kFileChunkBytes;
  constexpr std::size_t kSizes[] = {0, 1, 1'000, kPart - 1, kPart, kPart + 1, 3 * kPart + 17};
  Files files;
  const std::uint64_t count = stream.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name = (stream.below(2) == 0 ? "" : "inner/") + std::to_string(i);
    files.contents[name] = random_bytes(stream, kSizes[stream.below(std::size(kSizes))]);
  }
  return files;
}

Seal write(const fs::path& folder, const Files& files) {
  fs::create_directories(folder);
  for (const auto& [name, bytes] : files.contents) {
    fs::create_directories((folder / name).parent_path());
    std::ofstream(folder / name, std::ios::binary) << bytes;
  }
  return seal_folder(folder).value();
}

/// One trainer and one optimizer, and what is between them.
class Wire {
 public:
  Wire(Key key, double trouble) : stream_(key), trouble_(trouble) { start_optimizer(); }

  void to_optimizer(const Message& message) { put(upward_, message); }
  /// Until `over`; false if that takes for ever.
  bool run(const std::function<bool()>& over, const std::function<void(const Message&)>& hear,
           const std::function<void(bool)>& turn) {
    for (int round = 0; round < 20'000 && !over(); ++round) {
      now_ += Milliseconds(50);
      const bool restarted = stream_.uniform() < trouble_ * 0.01;
      if (restarted) start_optimizer();
      if (restarted || stream_.uniform() < trouble_ * 0.02) {
        // The connection is a new one: what was on it is lost.
        upward_.clear();
        downward_.clear();
        turn(true);
      }
      turn(false);
      for (const Message& each : std::exchange(upward_, {})) answer(each);
      for (const Message& each : std::exchange(downward_, {})) hear(each);
    }
    return over();
  }
  Milliseconds now() const { return now_; }
  const fs::path& study() const { return study_.path(); }

 private:
  void start_optimizer() { optimizer_.emplace(study_.path()); }
  void put(std::deque<Message>& way, const Message& message) {
    if (stream_.uniform() < trouble_ * 0.1) return;
    // As it travels, so that the frames are tried too.
    const Message arrived = decode_message(encode_message(message)).value();
    way.push_back(arrived);
    if (stream_.uniform() < trouble_ * 0.1) way.push_back(arrived);
  }
  void answer(const Message& message) {
    if (const auto* get = std::get_if<GetFile>(&message)) {
      return put(downward_, optimizer_->get(*get));
    }
    if (auto stored = optimizer_->put(std::get<PutFile>(message))) put(downward_, *stored);
  }

  support::TemporaryDirectory study_;
  Stream stream_;
  double trouble_;
  std::optional<FolderExchange> optimizer_;
  std::deque<Message> upward_, downward_;
  Milliseconds now_{0};
};

void expect_same(const fs::path& folder, const Files& files, const std::string& digest) {
  EXPECT_TRUE(check_seal(folder, digest));
  for (const auto& [name, bytes] : files.contents) {
    EXPECT_EQ(support::file_text(folder / name), bytes) << name;
  }
}

void sends(const Files& files, Key key, double trouble) {
  support::TemporaryDirectory here;
  const Seal seal = write(here / "checkpoint", files);
  Wire wire(key, trouble);
  std::optional<Status> ended;
  FileSender sender([&](const Message& message) { wire.to_optimizer(message); },
                    [&](const Parcel&, const Status& status) { ended = status; });
  Parcel parcel{kKey, kFolder, here / "checkpoint", {}};
  parcel.files = seal.files;
  parcel.files.push_back({kSumsName, seal.digest});
  sender.take(parcel);

  const bool over = wire.run(
      [&] {
        // Never in its place before it is whole.
        if (fs::exists(wire.study() / kFolder)) {
          expect_same(wire.study() / kFolder, files, seal.digest);
        }
        return ended.has_value();
      },
      [&](const Message& message) { sender.received(std::get<FileStored>(message), wire.now()); },
      [&](bool again) { again ? sender.begin_again(wire.now()) : sender.tick(wire.now()); });

  ASSERT_TRUE(over);
  EXPECT_TRUE(*ended) << (*ended ? "" : ended->error().message);
  expect_same(wire.study() / kFolder, files, seal.digest);
}

void fetches(const Files& files, Key key, double trouble) {
  support::TemporaryDirectory here;
  Wire wire(key, trouble);
  ArtifactRef checkpoint{kFolder, 7, 0};
  checkpoint.digest = write(wire.study() / kFolder, files).digest;
  std::optional<Status> ended;
  FileFetcher fetcher([&](const Message& message) { wire.to_optimizer(message); },
                      [&](const Order&, const Status& status) { ended = status; });
  fetcher.take({kKey, checkpoint, here / "checkpoint"});

  const bool over = wire.run(
      [&] { return ended.has_value(); },
      [&](const Message& message) { fetcher.received(std::get<FileData>(message), wire.now()); },
      [&](bool again) {
        if (!again) fetcher.tick(wire.now());
      });

  ASSERT_TRUE(over);
  EXPECT_TRUE(*ended) << (*ended ? "" : ended->error().message);
  expect_same(here / "checkpoint", files, *checkpoint.digest);
}

TEST(TravellingFiles, ArriveAtTheOptimizerAsTheyAre) {
  for_all(
      root_key(1), random_files, [](const Files& files, Key key) { sends(files, key, 0); }, 30);
}

TEST(TravellingFiles, ArriveAtTheOptimizerWhateverTheNetworkDoes) {
  for_all(
      root_key(2), random_files, [](const Files& files, Key key) { sends(files, key, 1); }, 60);
}

TEST(TravellingFiles, ArriveAtTheTrainerAsTheyAre) {
  for_all(
      root_key(3), random_files, [](const Files& files, Key key) { fetches(files, key, 0); }, 30);
}

TEST(TravellingFiles, ArriveAtTheTrainerWhateverTheNetworkDoes) {
  for_all(
      root_key(4), random_files, [](const Files& files, Key key) { fetches(files, key, 1); }, 60);
}

}  // namespace
}  // namespace betatune
