#include "trainers/torch/distributed/asynchronous/journal.hpp"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/failure_text.hpp"
#include "tests/support/temporary_directory.hpp"
#include "trainers/torch/distributed/asynchronous/registry.hpp"

namespace betatune::distributed::asynchronous {
namespace {

using support::failure_text;
using ::testing::HasSubstr;

class JournalTest : public ::testing::Test {
 protected:
  ServerCore make_core() { return ServerCore(*configured_.strategy, Layers{{0.5f}, {1, -2}}, 2); }
  /// Pushes number `from` to `to` of worker 0, each with other values.
  void push(ServerCore& core, Journal* journal, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i <= to; ++i) {
      const auto x = static_cast<float>(i);
      const Layers values{{x / 3}, {1 / x, x}};
      const auto version = core.versions()[0];
      const Push push{0, i, {version, version}, {values[0], values[1]}};
      if (journal != nullptr) journal->record(push);
      core.push(push, nullptr);
      if (journal != nullptr) journal->compact(core);
    }
  }
  std::string journal_file() {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.path().filename().string().starts_with("journal.")) return entry.path().string();
    }
    return "";
  }
  JournalSettings settings() { return {folder_.path().string(), false, snapshot_after_}; }

  support::TemporaryDirectory folder_;
  Configured configured_ = read_strategy(R"({"strategy": "downpour", "momentum": 0.9})", 2);
  std::uint64_t snapshot_after_ = 1 << 20;
};

TEST_F(JournalTest, RestoresEveryRecordedPushBitForBit) {
  ServerCore core = make_core();
  {
    Journal journal(settings(), core);
    push(core, &journal, 1, 10);
  }
  ServerCore restored = make_core();
  Journal journal(settings(), restored);
  EXPECT_EQ(journal.replayed(), 10u);
  EXPECT_EQ(restored.centre(), core.centre());
  EXPECT_EQ(restored.last_sequence(0), 10u);
  push(core, nullptr, 11, 12);
  push(restored, &journal, 11, 12);
  EXPECT_EQ(restored.centre(), core.centre()) << "the optimizer's momentum came back too";
}

TEST_F(JournalTest, SnapshotsKeepTheJournalShort) {
  snapshot_after_ = 500;
  ServerCore core = make_core();
  {
    Journal journal(settings(), core);
    push(core, &journal, 1, 100);
  }
  EXPECT_LT(std::filesystem::file_size(journal_file()), 600u);
  ServerCore restored = make_core();
  Journal journal(settings(), restored);
  EXPECT_LT(journal.replayed(), 20u);
  EXPECT_EQ(restored.centre(), core.centre());
}

TEST_F(JournalTest, DropsAPushThatWasBeingWritten) {
  ServerCore core = make_core();
  {
    Journal journal(settings(), core);
    push(core, &journal, 1, 5);
  }
  const auto whole = std::filesystem::file_size(journal_file());
  for (const std::uintmax_t cut : {std::uintmax_t{1}, std::uintmax_t{7}, whole / 5 - 1}) {
    std::filesystem::resize_file(journal_file(), whole - cut);
    ServerCore restored = make_core();
    Journal journal(settings(), restored);
    ASSERT_EQ(restored.last_sequence(0), 4u) << cut;
    push(restored, &journal, 5, 5);  // the worker sends it again
    EXPECT_EQ(restored.centre(), core.centre());
  }
}

TEST_F(JournalTest, SaysWhichFileIsDamagedAndWhere) {
  ServerCore core = make_core();
  {
    Journal journal(settings(), core);
    push(core, &journal, 1, 5);
  }
  const std::string name = journal_file();
  std::fstream file(name, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(30);
  file.put('!');
  file.close();
  const auto text = failure_text([&] {
    ServerCore restored = make_core();
    Journal journal(settings(), restored);
  });
  EXPECT_THAT(text, HasSubstr(name));
  EXPECT_THAT(text, HasSubstr("damaged at byte 0"));
}

TEST_F(JournalTest, RefusesADamagedSnapshot) {
  ServerCore core = make_core();
  { Journal journal(settings(), core); }
  std::fstream file(folder_ / "snapshot", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(60);
  file.put('!');
  file.close();
  EXPECT_THAT(failure_text([&] {
                ServerCore restored = make_core();
                Journal journal(settings(), restored);
              }),
              HasSubstr("its checksum is wrong"));
}

TEST_F(JournalTest, KeepsASecondServerOut) {
  ServerCore core = make_core();
  Journal journal(settings(), core);
  EXPECT_THAT(failure_text([&] { Journal second(settings(), core); }), HasSubstr("in use"));
}

TEST_F(JournalTest, RemembersWhoHasLeft) {
  configured_ = read_strategy(R"({"strategy": "synchronous", "lr": 1})", 2);
  {
    ServerCore core = make_core();
    Journal journal(settings(), core);
    const Layers values{{1}, {1, 1}};
    const Push push{0, 1, {0, 0}, {values[0], values[1]}};
    journal.record(push);
    core.push(push, nullptr);
    journal.record_leave(1);
    core.leave(1);
    ASSERT_EQ(core.versions()[0], 1u);
  }
  ServerCore restored = make_core();
  Journal journal(settings(), restored);
  EXPECT_EQ(restored.versions()[0], 1u);
  EXPECT_FALSE(restored.active(1));
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
