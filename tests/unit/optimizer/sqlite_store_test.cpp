// What can be wrong with a stored study, and what its store then says.

#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "optimizer/store.hpp"
#include "optimizer/stores/file_system.hpp"
#include "optimizer/stores/sqlite_schema.hpp"
#include "optimizer/stores/study_lock.hpp"
#include "tests/support/study_log.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using sqlite::Access;
using sqlite::Database;
using testing::HasSubstr;

class SqliteStoreTest : public testing::Test {
 protected:
  void write_study() {
    auto store = open_sqlite_store(directory_.path(), OpenMode::optimizer);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE(store.value()->begin_epoch());
    ASSERT_TRUE(store.value()->append(0, log_));
  }
  /// Of opening and then reading everything.
  Error error_of_reading(OpenMode mode) {
    auto store = open_sqlite_store(directory_.path(), mode);
    if (!store) return store.error();
    const auto events = store.value()->read(0, 100'000);
    EXPECT_FALSE(events) << "nothing was wrong";
    return events ? Error{} : events.error();
  }
  void execute(const std::string& sql) {
    auto database = Database::open(file_, Access::read_write);
    ASSERT_TRUE(database);
    const Status done = database.value().execute(sql.c_str());
    ASSERT_TRUE(done) << done.error().message;
  }

  support::TemporaryDirectory directory_;
  const fs::path file_ = directory_.path() / "study.db";
  const std::vector<Event> log_ = support::make_study_log({});
};

TEST_F(SqliteStoreTest, SaysWhichCommandStartsAStudyThatIsNotThere) {
  for (const OpenMode mode : {OpenMode::read_only, OpenMode::request_only}) {
    const auto store = open_sqlite_store(directory_.path() / "nowhere", mode);

    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().kind, ErrorKind::not_found);
    EXPECT_THAT(store.error().message, HasSubstr("betatune run"));
  }
  EXPECT_FALSE(fs::exists(directory_.path() / "nowhere"));
}

TEST_F(SqliteStoreTest, FindsAnyTruncationCorrupt) {
  write_study();
  const auto whole = fs::file_size(file_);
  for (const std::uintmax_t kept : {whole - 1, whole / 2, std::uintmax_t{5'000},
                                    std::uintmax_t{100}, std::uintmax_t{16}, std::uintmax_t{0}}) {
    fs::resize_file(file_, kept);
    for (const OpenMode mode : {OpenMode::read_only, OpenMode::optimizer}) {
      const Error error = error_of_reading(mode);
      EXPECT_EQ(error.kind, ErrorKind::corrupt) << kept << " bytes: " << error.message;
      EXPECT_THAT(error.message, HasSubstr("study.db"));
    }
  }
}

TEST_F(SqliteStoreTest, FindsGarbageCorrupt) {
  std::ofstream(file_) << std::string(10'000, 'x');

  const Error error = error_of_reading(OpenMode::optimizer);

  EXPECT_EQ(error.kind, ErrorKind::corrupt);
  EXPECT_THAT(error.message, HasSubstr("not a Betatune study"));
}

TEST_F(SqliteStoreTest, LeavesAnotherProgramsDatabaseAlone) {
  ASSERT_TRUE(Database::open(file_, Access::create).value().execute("CREATE TABLE mine(x)"));

  const Error error = error_of_reading(OpenMode::optimizer);

  EXPECT_EQ(error.kind, ErrorKind::corrupt);
  EXPECT_TRUE(Database::open(file_, Access::read_only).value().prepare("SELECT x FROM mine"));
}

TEST_F(SqliteStoreTest, RefusesANewerFormat) {
  write_study();
  execute("PRAGMA user_version=2");

  for (const OpenMode mode : {OpenMode::read_only, OpenMode::optimizer}) {
    const Error error = error_of_reading(mode);
    EXPECT_EQ(error.kind, ErrorKind::unsupported);
    EXPECT_THAT(error.message, HasSubstr("newer Betatune"));
  }
}

TEST_F(SqliteStoreTest, RefusesAnUnknownEvent) {
  write_study();
  execute("UPDATE events SET type='trial_cloned' WHERE seq=5");

  const Error error = error_of_reading(OpenMode::optimizer);

  EXPECT_EQ(error.kind, ErrorKind::corrupt);
  EXPECT_THAT(error.message, HasSubstr("event 5"));
  EXPECT_THAT(error.message, HasSubstr("trial_cloned"));
}

TEST_F(SqliteStoreTest, FindsAMissingEvent) {
  write_study();
  execute("DELETE FROM events WHERE seq=7");

  EXPECT_THAT(error_of_reading(OpenMode::optimizer).message, HasSubstr("event 7 is missing"));
}

TEST_F(SqliteStoreTest, FindsABodyThatIsNotWhatWasWritten) {
  write_study();
  for (const char* body : {"", "{", "[]", "null", "{\"trial\": -1}", "{\"trial\": 0}",
                           "{\"trial\":0,\"attempt\":1,\"trainer\":7,\"from\":0,\"until\":3}"}) {
    execute("UPDATE events SET body='" + std::string(body) + "' WHERE seq=4");

    const Error error = error_of_reading(OpenMode::optimizer);
    EXPECT_EQ(error.kind, ErrorKind::corrupt) << body;
    EXPECT_THAT(error.message, HasSubstr("event 4")) << body;
  }
}

TEST_F(SqliteStoreTest, StartsAgainAfterADeathDuringCreation) {
  std::ofstream(directory_.path() / "study.db.new") << "half a file";
  std::ofstream(directory_.path() / "study.db.new-wal") << "half a log";

  write_study();

  EXPECT_FALSE(fs::exists(directory_.path() / "study.db.new"));
}

TEST_F(SqliteStoreTest, DropsATransactionThatItsProcessDidNotLiveToCommit) {
  write_study();
  const pid_t child = ::fork();
  if (child == 0) {
    auto database = Database::open(file_, Access::read_write);
    auto transaction = sqlite::Transaction::begin(database.value());
    const bool fine = transaction && database.value().execute("DELETE FROM events");
    ::_exit(fine ? 0 : 1);  // no commit, no rollback, nothing closed
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(WEXITSTATUS(status), 0);

  auto store = open_sqlite_store(directory_.path(), OpenMode::optimizer);

  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(store.value()->read(0, 100'000).value().size(), log_.size());
}

TEST_F(SqliteStoreTest, IsFreeAgainWhenItsHolderWasKilled) {
  int channel[2];
  ASSERT_EQ(::pipe(channel), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = open_sqlite_store(directory_.path(), OpenMode::optimizer);
    const char byte = store ? '+' : '-';
    if (::write(channel[1], &byte, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(channel[0], &byte, 1), 1);
  ASSERT_EQ(byte, '+');
  EXPECT_EQ(lock_holder(directory_.path() / "study.lock"), child);
  const auto refused = open_sqlite_store(directory_.path(), OpenMode::optimizer);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(child)));

  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);

  EXPECT_EQ(lock_holder(directory_.path() / "study.lock"), 0);
  EXPECT_TRUE(open_sqlite_store(directory_.path(), OpenMode::optimizer));
  ::close(channel[0]);
  ::close(channel[1]);
}

TEST_F(SqliteStoreTest, SaysThatTheDiskIsFullWritesNothingAndGoesOnLater) {
  auto store = open_sqlite_store(directory_.path(), OpenMode::optimizer).value();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->append(0, std::span(log_).first(2)));
  // No file of this process may grow: the next write fails as on a full disk.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit none{1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);

  const Status full = store->append(2, std::span(log_).subspan(2));

  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().kind, ErrorKind::unavailable) << full.error().message;
  EXPECT_EQ(store->read(0, 100).value().size(), 2u);
  const Status again = store->append(2, std::span(log_).subspan(2));
  EXPECT_TRUE(again) << again.error().message;
}

/// What a user without rights meets; root passes every permission check, so it steps down first.
int exit_status_as_nobody(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) ::_exit(100);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

TEST_F(SqliteStoreTest, ReadsButDoesNotWriteAStudyOfSomebodyElse) {
  write_study();
  ::chmod(file_.c_str(), 0444);
  ::chmod((directory_.path() / "study.lock").c_str(), 0444);
  ::chmod(directory_.path().c_str(), 0555);

  const int status = exit_status_as_nobody([&] {
    const auto reader = open_sqlite_store(directory_.path(), OpenMode::read_only);
    if (!reader) return 1;
    const auto events = reader.value()->read(0, 100'000);
    if (!events || events.value().size() != log_.size()) return 2;
    const auto writer = open_sqlite_store(directory_.path(), OpenMode::optimizer);
    if (writer || writer.error().kind != ErrorKind::unavailable) return 3;
    const auto requester = open_sqlite_store(directory_.path(), OpenMode::request_only);
    if (requester && requester.value()->add_request("drain", Json::object())) return 4;
    return 0;
  });

  ::chmod(directory_.path().c_str(), 0755);
  EXPECT_EQ(status, 0);
}

TEST_F(SqliteStoreTest, SaysThatAFolderCannotBeMade) {
  ::chmod(directory_.path().c_str(), 0555);

  const int status = exit_status_as_nobody([&] {
    const auto store = open_sqlite_store(directory_.path() / "runs" / "x", OpenMode::optimizer);
    const bool said = !store && store.error().kind == ErrorKind::unavailable &&
                      store.error().message.find("storage.path") != std::string::npos;
    return said ? 0 : 1;
  });

  ::chmod(directory_.path().c_str(), 0755);
  EXPECT_EQ(status, 0);
}

TEST_F(SqliteStoreTest, OpensAPathWithOddCharacters) {
  const fs::path odd = directory_.path() / "50% of #1? yes";

  auto store = open_sqlite_store(odd, OpenMode::optimizer);

  ASSERT_TRUE(store) << store.error().message;
  EXPECT_TRUE(fs::exists(odd / "study.db"));
}

TEST(FileSystem, KnowsNetworksFromDisks) {
  EXPECT_EQ(network_file_system(0x6969, ""), "NFS");
  EXPECT_EQ(network_file_system(0x0BD00BD0, ""), "Lustre");
  EXPECT_EQ(network_file_system(0x65735546, "fuse.sshfs"), "fuse.sshfs");
  EXPECT_EQ(network_file_system(0x65735546, "fuse.fuse-overlayfs"), std::nullopt);
  EXPECT_EQ(network_file_system(0x65735546, "fuseblk"), std::nullopt);
  EXPECT_EQ(network_file_system(0xEF53, "ext4"), std::nullopt);
  EXPECT_EQ(network_file_system(0x01021994, "tmpfs"), std::nullopt);
}

}  // namespace
}  // namespace betatune
