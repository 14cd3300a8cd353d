/// A disk that fails or loses power under the store: nothing that was acknowledged is missing, and
/// nothing that was not is half there. BETATUNE_LONG_TESTS=1 tries more of the ways.

#include <cstdlib>
#include <gtest/gtest.h>

#include "optimizer/store.hpp"
#include "optimizer/study_state.hpp"
#include "tests/support/fault_disk.hpp"
#include "tests/support/study_log.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using support::DiskImage;
using support::FaultDisk;

bool long_tests() {
  return std::getenv("BETATUNE_LONG_TESTS") != nullptr;
}

class DiskFaultTest : public testing::Test {
 protected:
  DiskFaultTest() { FaultDisk::instance().stop(); }
  ~DiskFaultTest() override { FaultDisk::instance().stop(); }

  fs::path study() const { return folder_.path() / "study"; }

  std::unique_ptr<StudyStore> open() const {
    auto store = open_sqlite_store(study(), OpenMode::optimizer);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(store).value() : nullptr;
  }

  /// Batches of the sizes that group commits have.
  std::vector<std::span<const Event>> batches() const {
    std::vector<std::span<const Event>> all;
    const std::span<const Event> log(log_);
    const std::size_t sizes[] = {1, 3, 1, 8};
    for (std::size_t from = 0, i = 0; from < log.size(); ++i) {
      const std::size_t count = std::min(sizes[i % 4], log.size() - from);
      all.push_back(log.subspan(from, count));
      from += count;
    }
    return all;
  }

  /// The store holds a prefix of the log, at least up to `acknowledged`, and it folds.
  Sequence check_prefix(StudyStore& store, Sequence acknowledged) const {
    const auto events = store.read(0, 1'000'000);
    EXPECT_TRUE(events) << (events ? "" : events.error().message);
    if (!events) return 0;
    const auto& found = events.value();
    EXPECT_GE(found.size(), acknowledged) << "an acknowledged event is missing";
    EXPECT_LE(found.size(), log_.size());
    StudyState state;
    for (std::size_t i = 0; i < std::min(found.size(), log_.size()); ++i) {
      EXPECT_EQ(found[i].seq, log_[i].seq);
      EXPECT_EQ(encode_fact(found[i].fact).dump(), encode_fact(log_[i].fact).dump());
      const Status applied = apply(state, found[i]);
      EXPECT_TRUE(applied) << (applied ? "" : applied.error().message);
    }
    return found.size();
  }

  support::TemporaryDirectory folder_;
  const std::vector<Event> log_ = support::make_study_log({.trials = long_tests() ? 30 : 12});
};

/// A run of the store, as the disk saw it.
struct Recording {
  DiskImage before;
  std::vector<support::DiskCall> calls;
  std::vector<std::pair<std::size_t, Sequence>> acknowledged;  ///< calls so far -> last durable
};

class PowerLossTest : public DiskFaultTest {
 protected:
  /// Closes and opens the study now and then: closing moves the WAL into the database.
  Recording record() {
    Recording made;
    {
      const auto store = open();
      EXPECT_TRUE(store->begin_epoch());
    }
    made.before = support::image_of(study());
    FaultDisk& disk = FaultDisk::instance();
    disk.record();
    auto store = open();
    EXPECT_TRUE(store->begin_epoch());
    Sequence seq = 0;
    int count = 0;
    for (const auto& batch : batches()) {
      EXPECT_TRUE(store->append(seq, batch));
      seq = batch.back().seq;
      made.acknowledged.emplace_back(disk.calls.size(), seq);
      if (++count % 7 != 0) continue;
      store.reset();
      store = open();
      EXPECT_TRUE(store->begin_epoch());
    }
    store.reset();
    made.calls = std::move(disk.calls);
    disk.stop();
    return made;
  }

  void put_on_disk(const DiskImage& image) const {
    fs::remove_all(study());
    fs::create_directories(study());
    for (const auto& [path, bytes] : image) {
      // The shared memory of a WAL is of the processes that are gone.
      if (!path.ends_with("-shm")) std::ofstream(path, std::ios::binary) << bytes;
    }
  }
};

TEST_F(PowerLossTest, LosesNothingThatWasAcknowledged) {
  const Recording recording = record();
  ASSERT_GT(recording.calls.size(), 100u);
  const int ways = long_tests() ? 10 : 1;
  std::size_t images = 0;
  for (std::size_t cut = 0; cut <= recording.calls.size(); ++cut) {
    Sequence acknowledged = 0;
    for (const auto& [calls, seq] : recording.acknowledged) {
      if (calls <= cut) acknowledged = seq;
    }
    for (int way = 0; way < ways; ++way, ++images) {
      SCOPED_TRACE("power lost after call " + std::to_string(cut) + ", way " + std::to_string(way));
      Stream random(fold_in(fold_in(root_key(1), cut), static_cast<std::uint64_t>(way)));
      put_on_disk(support::after_power_loss(recording.before, recording.calls, cut, random));
      const auto store = open();
      ASSERT_NE(store, nullptr);
      const Sequence kept = check_prefix(*store, acknowledged);
      if (kept == log_.size()) continue;
      ASSERT_TRUE(store->begin_epoch());
      const Status goes_on = store->append(kept, std::span(log_).subspan(kept));
      EXPECT_TRUE(goes_on) << (goes_on ? "" : goes_on.error().message);
      if (HasFailure()) return;
    }
  }
  std::printf("%zu calls, %zu disk images\n", recording.calls.size(), images);
}

/// SQLite's own code of a failing access, or of a full disk.
class FailingDiskTest : public DiskFaultTest, public testing::WithParamInterface<int> {
 protected:
  /// Appends all batches; a batch that fails is tried again when the disk works. Returns whether
  /// the n-th call was reached.
  bool run(std::int64_t nth) {
    fs::remove_all(study());
    auto store = open();
    EXPECT_TRUE(store->begin_epoch());
    FaultDisk& disk = FaultDisk::instance();
    disk.fail_at(nth, GetParam(), true);
    Sequence seq = 0;
    for (const auto& batch : batches()) {
      Status appended = store->append(seq, batch);
      if (!appended) {
        EXPECT_EQ(appended.error().kind, ErrorKind::unavailable) << appended.error().message;
        EXPECT_TRUE(disk.has_failed()) << appended.error().message;
        appended = store->append(seq, batch);
        EXPECT_FALSE(appended) << "the disk still fails";
        disk.stop();
        appended = store->append(seq, batch);
        EXPECT_TRUE(appended) << (appended ? "" : appended.error().message);
        if (!appended) return true;
      }
      seq = batch.back().seq;
    }
    const bool reached = disk.has_failed();
    disk.stop();
    EXPECT_EQ(check_prefix(*store, seq), log_.size());
    store.reset();
    store = open();
    EXPECT_EQ(check_prefix(*store, seq), log_.size());
    return reached;
  }
};

TEST_P(FailingDiskTest, IsToldOfAndNothingIsLostOrThereTwice) {
  std::int64_t nth = 1;
  const std::int64_t stride = long_tests() ? 1 : 3;
  while (run(nth)) {
    nth += stride;
    if (HasFailure()) {
      ADD_FAILURE() << "when call " << nth - stride << " failed";
      return;
    }
  }
  EXPECT_GT(nth, 30);
  std::printf("every %lld. of %lld calls failed\n", static_cast<long long>(stride),
              static_cast<long long>(nth - stride));
}

INSTANTIATE_TEST_SUITE_P(Disk, FailingDiskTest, testing::Values(SQLITE_IOERR, SQLITE_FULL),
                         [](const auto& each) {
                           return each.param == SQLITE_FULL ? "Full" : "Failing";
                         });

}  // namespace
}  // namespace betatune
