// What every store promises: one suite over all of them.

#include "optimizer/store.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "optimizer/study_state.hpp"
#include "tests/support/study_log.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

using support::make_study_log;

struct StoreKind {
  const char* name;
  bool durable;  ///< can be closed and opened again
};

class StoreSuite : public testing::TestWithParam<StoreKind> {
 protected:
  std::unique_ptr<StudyStore> open(OpenMode mode = OpenMode::optimizer) {
    if (!GetParam().durable) return make_memory_store();
    auto opened = open_sqlite_store(directory_.path(), mode);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(opened).value() : nullptr;
  }

  support::TemporaryDirectory directory_;
  const std::vector<Event> log_ = make_study_log({});
};

std::uint64_t hash_of(const std::vector<Event>& events) {
  StudyState state;
  for (const Event& event : events) {
    const Status applied = apply(state, event);
    EXPECT_TRUE(applied) << applied.error().message;
  }
  return state_hash(state);
}

ErrorKind kind_of(const Status& status) {
  EXPECT_FALSE(status);
  return status ? ErrorKind::unsupported : status.error().kind;
}

TEST_P(StoreSuite, ReadsWhatWasAppendedInOrder) {
  auto store = open();
  ASSERT_TRUE(store->begin_epoch());

  ASSERT_TRUE(store->append(0, std::span(log_).first(10)));
  ASSERT_TRUE(store->append(10, std::span(log_).subspan(10)));

  const auto all = store->read(0, log_.size() + 5);
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all.value().size(), log_.size());
  for (std::size_t i = 0; i < log_.size(); ++i) {
    EXPECT_EQ(all.value()[i].seq, log_[i].seq);
    EXPECT_EQ(all.value()[i].at_us, log_[i].at_us);
    EXPECT_EQ(fact_type(all.value()[i].fact), fact_type(log_[i].fact));
    EXPECT_EQ(encode_fact(all.value()[i].fact), encode_fact(log_[i].fact));
  }
  EXPECT_EQ(hash_of(all.value()), hash_of(log_));
}

TEST_P(StoreSuite, ReadsInPages) {
  auto store = open();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->append(0, log_));

  const auto page = store->read(5, 3);
  const auto past = store->read(log_.size(), 3);

  ASSERT_TRUE(page && past);
  ASSERT_EQ(page.value().size(), 3u);
  EXPECT_EQ(page.value().front().seq, 6u);
  EXPECT_TRUE(past.value().empty());
}

TEST_P(StoreSuite, RefusesAWrongPosition) {
  auto store = open();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->append(0, std::span(log_).first(4)));

  EXPECT_EQ(kind_of(store->append(0, std::span(log_).first(4))), ErrorKind::conflict);
  EXPECT_EQ(kind_of(store->append(5, std::span(log_).subspan(5, 1))), ErrorKind::conflict);

  EXPECT_EQ(store->read(0, 100).value().size(), 4u);
  EXPECT_TRUE(store->append(4, std::span(log_).subspan(4, 1)));
}

TEST_P(StoreSuite, GivesRisingEpochs) {
  auto store = open();

  EXPECT_EQ(store->begin_epoch().value(), 1u);
  EXPECT_EQ(store->begin_epoch().value(), 2u);
}

TEST_P(StoreSuite, TakesRequestsInTheTransactionThatActsOnThem) {
  auto store = open();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->add_request("stop_trial", Json{{"trial", 3}}));
  ASSERT_TRUE(store->add_request("drain", Json::object()));
  const auto requests = store->requests().value();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].kind, "stop_trial");
  EXPECT_EQ(requests[0].body.at("trial"), 3);

  const std::vector<std::int64_t> taken{requests[0].id};
  EXPECT_FALSE(store->append(7, std::span(log_).subspan(7, 1), taken));
  EXPECT_EQ(store->requests().value().size(), 2u);
  EXPECT_TRUE(store->append(0, std::span(log_).first(1), taken));

  const auto left = store->requests().value();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].id, requests[1].id);
}

TEST_P(StoreSuite, TakesRequestsWithoutEvents) {
  auto store = open();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->add_request("drain", Json::object()));
  const std::vector<std::int64_t> taken{store->requests().value().at(0).id};

  EXPECT_TRUE(store->append(0, {}, taken));

  EXPECT_TRUE(store->requests().value().empty());
}

TEST_P(StoreSuite, NeverUsesARequestNumberAgain) {
  auto store = open();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->add_request("drain", Json::object()));
  const std::int64_t first = store->requests().value().at(0).id;
  const std::vector<std::int64_t> taken{first};
  ASSERT_TRUE(store->append(0, {}, taken));

  ASSERT_TRUE(store->add_request("drain", Json::object()));

  EXPECT_GT(store->requests().value().at(0).id, first);
}

TEST_P(StoreSuite, KeepsTextThatIsNotUtf8Writable) {
  if (!GetParam().durable) GTEST_SKIP() << "a store in memory encodes nothing";
  auto store = open();
  ASSERT_TRUE(store->begin_epoch());
  std::vector<Event> events = {log_.front()};
  std::get<StudyCreated>(events[0].fact).build = "\xff\xfe garbage";

  ASSERT_TRUE(store->append(0, events));

  EXPECT_TRUE(store->read(0, 10));
}

INSTANTIATE_TEST_SUITE_P(All, StoreSuite,
                         testing::Values(StoreKind{"memory", false}, StoreKind{"sqlite", true}),
                         [](const auto& kind) { return kind.param.name; });

// From here on: stores that outlive their process.

class DurableStore : public StoreSuite {};

TEST_P(DurableStore, IsThereAfterReopening) {
  {
    auto store = open();
    ASSERT_TRUE(store->begin_epoch());
    ASSERT_TRUE(store->append(0, log_));
    ASSERT_TRUE(store->add_request("drain", Json::object()));
  }

  auto store = open();

  EXPECT_EQ(hash_of(store->read(0, log_.size()).value()), hash_of(log_));
  EXPECT_EQ(store->requests().value().size(), 1u);
  EXPECT_EQ(store->begin_epoch().value(), 2u);
}

TEST_P(DurableStore, FencesOutTheHolderOfAnOlderEpoch) {
  auto old = open();
  ASSERT_TRUE(old->begin_epoch());
  ASSERT_TRUE(old->append(0, std::span(log_).first(2)));
  // The lock is per machine; the epoch holds even where the lock file was removed by hand.
  std::filesystem::remove(directory_ / "study.lock");
  auto fresh = open();
  ASSERT_TRUE(fresh->begin_epoch());

  EXPECT_EQ(kind_of(old->append(2, std::span(log_).subspan(2, 1))), ErrorKind::conflict);
  EXPECT_TRUE(fresh->append(2, std::span(log_).subspan(2, 1)));
}

TEST_P(DurableStore, KeepsAllAcknowledgedWritesOfAKilledProcess) {
  int channel[2];
  ASSERT_EQ(::pipe(channel), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    // Appends one event at a time and says so; dies without closing anything.
    auto store = open_sqlite_store(directory_.path(), OpenMode::optimizer);
    if (!store || !store.value()->begin_epoch()) ::_exit(1);
    for (std::size_t i = 0; i < log_.size(); ++i) {
      if (!store.value()->append(i, std::span(log_).subspan(i, 1))) ::_exit(1);
      const char byte = '.';
      if (::write(channel[1], &byte, 1) != 1) ::_exit(1);
    }
    for (;;) ::pause();
  }
  ::close(channel[1]);
  std::size_t acknowledged = 0;
  for (char byte; acknowledged < 12 && ::read(channel[0], &byte, 1) == 1;) ++acknowledged;
  ::kill(child, SIGKILL);
  for (char byte; ::read(channel[0], &byte, 1) == 1;) ++acknowledged;
  ::waitpid(child, nullptr, 0);
  ::close(channel[0]);

  auto store = open();

  const auto found = store->read(0, log_.size());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_GE(found.value().size(), acknowledged);
  EXPECT_GE(acknowledged, 12u);
  for (std::size_t i = 0; i < found.value().size(); ++i) {
    EXPECT_EQ(encode_fact(found.value()[i].fact), encode_fact(log_[i].fact));
  }
}

TEST_P(DurableStore, RefusesASecondOptimizerAndNamesTheFirst) {
  auto first = open();

  const auto second = open_sqlite_store(directory_.path(), OpenMode::optimizer);

  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::conflict);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos)
      << second.error().message;
}

TEST_P(DurableStore, IsReadWhileItIsWritten) {
  auto store = open();
  ASSERT_TRUE(store->begin_epoch());
  auto reader = open(OpenMode::read_only);
  ASSERT_TRUE(reader->read(0, 10));

  for (std::size_t i = 0; i < log_.size(); ++i) {
    ASSERT_TRUE(store->append(i, std::span(log_).subspan(i, 1)));
    ASSERT_EQ(reader->read(i, 10).value().size(), 1u);
  }

  EXPECT_FALSE(reader->append(log_.size(), {}));
}

TEST_P(DurableStore, TakesRequestsFromOtherProcesses) {
  auto store = open();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->requests().value().empty());
  auto other = open(OpenMode::request_only);

  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(other->add_request("stop_trial", Json{{"trial", i}}));
    const auto seen = store->requests().value();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].body.at("trial"), i);
    const std::vector<std::int64_t> taken{seen[0].id};
    ASSERT_TRUE(store->append(static_cast<Sequence>(i - 1),
                              std::span(log_).subspan(static_cast<std::size_t>(i - 1), 1), taken));
    EXPECT_TRUE(store->requests().value().empty());
  }
}

INSTANTIATE_TEST_SUITE_P(All, DurableStore, testing::Values(StoreKind{"sqlite", true}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace betatune
