#include <chrono>
#include <fmt/format.h>
#include <set>
#include <utility>

#include "optimizer/store.hpp"
#include "optimizer/stores/fact_text.hpp"
#include "optimizer/stores/sqlite_projection.hpp"
#include "optimizer/stores/sqlite_schema.hpp"
#include "optimizer/stores/study_lock.hpp"

namespace betatune {
namespace {

using sqlite::Database;
using sqlite::Projection;
using sqlite::Statement;
using sqlite::Transaction;

std::int64_t wall_clock_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

Error fenced(const std::string& file, std::uint64_t mine, std::int64_t newer) {
  return Error{ErrorKind::conflict,
               fmt::format("{}: another optimizer has taken this study over (epoch {}, this one is "
                           "{}); this one must end",
                           file, newer, mine)};
}

Result<Json> parse_body(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return Error{ErrorKind::corrupt, "not JSON"};
  return json;
}

Result<Fact> fact_of(std::string_view type, std::string_view body) {
  if (auto fact = read_fact_text(type, body)) return std::move(*fact);
  BETATUNE_TRY(const Json json, parse_body(body));
  return decode_fact(type, json);
}

class SqliteStore final : public StudyStore {
 public:
  static Result<std::unique_ptr<StudyStore>> open(const std::filesystem::path& directory,
                                                  OpenMode mode);

  Status append(Sequence expected, std::span<const Event> events,
                std::span<const std::int64_t> taken) override;
  Result<std::vector<Event>> read(Sequence after, std::size_t limit) const override;
  Result<std::uint64_t> begin_epoch() override;
  Result<std::vector<StoredRequest>> requests() const override;
  Status add_request(const std::string& kind, const Json& body) override;

 private:
  SqliteStore(Database database, StudyLock lock, std::string name)
      : lock_(std::move(lock)), name_(std::move(name)), database_(std::move(database)) {}

  Status prepare(OpenMode mode);
  Status rebuild_if_old();
  Status check_fence(Sequence expected);
  Status write(std::span<const Event> events, std::span<const std::int64_t> taken);
  Result<std::vector<StoredRequest>> read_requests() const;

  // Destroyed last: the lock is held until the database is closed.
  StudyLock lock_;
  std::string name_;
  Database database_;
  mutable Statement read_, read_requests_, data_version_;
  Statement fence_, insert_, take_;
  std::optional<Projection> projection_;
  std::uint64_t epoch_ = 0;

  // requests() is asked several times per second; most times nothing has changed.
  mutable std::int64_t seen_version_ = -1;
  mutable std::vector<StoredRequest> seen_requests_;
};

Result<std::unique_ptr<StudyStore>> SqliteStore::open(const std::filesystem::path& directory,
                                                      OpenMode mode) {
  const std::filesystem::path file = directory / sqlite::kFileName;
  StudyLock lock;
  std::error_code failed;
  if (mode == OpenMode::optimizer) {
    std::filesystem::create_directories(directory, failed);
    if (failed) {
      return Error{ErrorKind::unavailable,
                   fmt::format("{}: cannot be made: {}; give another storage.path",
                               directory.string(), failed.message())};
    }
    BETATUNE_TRY(lock, StudyLock::acquire(directory / sqlite::kLockName));
    if (!std::filesystem::exists(file, failed)) BETATUNE_CHECK(sqlite::create_database(file));
  } else if (!std::filesystem::exists(file, failed)) {
    return Error{ErrorKind::not_found,
                 fmt::format("{}: no study is here; `betatune run STUDY.yaml` starts one",
                             directory.string())};
  }
  BETATUNE_TRY(Database database, sqlite::open_database(file, mode));
  std::unique_ptr<SqliteStore> store(
      new SqliteStore(std::move(database), std::move(lock), file.string()));
  BETATUNE_CHECK(store->prepare(mode));
  return std::unique_ptr<StudyStore>(std::move(store));
}

Status SqliteStore::prepare(OpenMode mode) {
  BETATUNE_TRY(read_, database_.prepare("SELECT seq, at_us, type, body FROM events WHERE seq > ?1 "
                                        "ORDER BY seq LIMIT ?2"));
  BETATUNE_TRY(read_requests_,
               database_.prepare("SELECT id, kind, body FROM requests ORDER BY id"));
  BETATUNE_TRY(data_version_, database_.prepare("PRAGMA data_version"));
  if (mode != OpenMode::optimizer) return Ok{};
  BETATUNE_TRY(fence_, database_.prepare("SELECT (SELECT value FROM meta WHERE key='epoch'), "
                                         "(SELECT coalesce(max(seq), 0) FROM events)"));
  BETATUNE_TRY(insert_, database_.prepare("INSERT INTO events VALUES(?1, ?2, ?3, ?4)"));
  BETATUNE_TRY(take_, database_.prepare("DELETE FROM requests WHERE id = ?1"));
  return rebuild_if_old();
}

/// Projections of another version are made again from the log.
Status SqliteStore::rebuild_if_old() {
  BETATUNE_TRY(const std::int64_t version,
               database_.query_integer("SELECT value FROM meta WHERE key='projection'"));
  if (version != sqlite::kProjectionVersion) {
    BETATUNE_TRY(Transaction transaction, Transaction::begin(database_));
    BETATUNE_CHECK(sqlite::create_projections(database_));
    BETATUNE_TRY(projection_, Projection::make(database_));
    constexpr std::size_t kAtOnce = 10'000;
    for (Sequence after = 0;;) {
      BETATUNE_TRY(const std::vector<Event> events, read(after, kAtOnce));
      for (const Event& event : events) BETATUNE_CHECK(projection_->apply(event));
      if (events.size() < kAtOnce) break;
      after = events.back().seq;
    }
    BETATUNE_CHECK(projection_->finish());
    return transaction.commit();
  }
  BETATUNE_TRY(projection_, Projection::make(database_));
  return Ok{};
}

Status SqliteStore::check_fence(Sequence expected) {
  BETATUNE_TRY(const bool row, fence_.step());
  BETATUNE_ASSERT(row);
  const std::int64_t epoch = fence_.integer(0);
  const std::int64_t last = fence_.integer(1);
  fence_.reset();
  if (std::cmp_not_equal(epoch, epoch_)) return fenced(name_, epoch_, epoch);
  if (std::cmp_not_equal(last, expected)) {
    return Error{
        ErrorKind::conflict,
        fmt::format("{}: another writer was here (the log is at event {}, expected {}); end "
                    "this optimizer and start it again",
                    name_, last, expected)};
  }
  return Ok{};
}

Status SqliteStore::write(std::span<const Event> events, std::span<const std::int64_t> taken) {
  for (const Event& event : events) {
    BETATUNE_CHECK(
        insert_
            .with(event.seq, event.at_us, fact_type(event.fact), json_text(encode_fact(event.fact)))
            .run());
    BETATUNE_CHECK(projection_->apply(event));
  }
  for (const std::int64_t id : std::set(taken.begin(), taken.end())) {
    BETATUNE_CHECK(take_.with(id).run());
    if (database_.changes() == 0) {
      return Error{ErrorKind::conflict, fmt::format("{}: request {} was already taken", name_, id)};
    }
  }
  return projection_->finish();
}

Status SqliteStore::append(Sequence expected, std::span<const Event> events,
                           std::span<const std::int64_t> taken) {
  if (!projection_) {
    return Error{ErrorKind::invalid_argument, name_ + ": opened for reading, cannot append"};
  }
  for (std::size_t i = 0; i < events.size(); ++i) {
    BETATUNE_ASSERT(events[i].seq == expected + i + 1);
  }
  const auto all = [&]() -> Status {
    BETATUNE_TRY(Transaction transaction, Transaction::begin(database_));
    BETATUNE_CHECK(check_fence(expected));
    BETATUNE_CHECK(write(events, taken));
    return transaction.commit();
  };
  Status done = all();
  if (!taken.empty()) seen_version_ = -1;
  // The transaction is rolled back by now; what the projection remembers must be, too.
  if (!done) static_cast<void>(projection_->reload());
  return done;
}

Result<std::vector<Event>> SqliteStore::read(Sequence after, std::size_t limit) const {
  std::vector<Event> events;
  read_.with(after, limit);
  for (;;) {
    BETATUNE_TRY(const bool row, read_.step());
    if (!row) return events;
    Event event;
    event.seq = static_cast<Sequence>(read_.integer(0));
    event.at_us = read_.integer(1);
    const Sequence wanted = after + events.size() + 1;
    Result<Fact> fact = fact_of(read_.text(2), read_.text(3));
    if (!fact || event.seq != wanted) {
      const std::string what = fact ? fmt::format("event {} is missing", wanted)
                                    : fmt::format("event {}: {}", wanted, fact.error().message);
      read_.reset();
      return Error{ErrorKind::corrupt, name_ + ": " + what + "; restore it from a copy"};
    }
    event.fact = std::move(fact).value();
    events.push_back(std::move(event));
  }
}

Result<std::uint64_t> SqliteStore::begin_epoch() {
  if (!projection_) {
    return Error{ErrorKind::invalid_argument, name_ + ": opened for reading, cannot be taken over"};
  }
  BETATUNE_TRY(Transaction transaction, Transaction::begin(database_));
  BETATUNE_CHECK(database_.execute("UPDATE meta SET value = value + 1 WHERE key='epoch'"));
  BETATUNE_TRY(const std::int64_t epoch,
               database_.query_integer("SELECT value FROM meta WHERE key='epoch'"));
  BETATUNE_CHECK(transaction.commit());
  epoch_ = static_cast<std::uint64_t>(epoch);
  return epoch_;
}

Result<std::vector<StoredRequest>> SqliteStore::requests() const {
  // Changes when another connection has written; costs no disk access.
  BETATUNE_TRY(const bool row, data_version_.step());
  BETATUNE_ASSERT(row);
  const std::int64_t version = data_version_.integer(0);
  data_version_.reset();
  if (version != seen_version_) {
    BETATUNE_TRY(seen_requests_, read_requests());
    seen_version_ = version;
  }
  return seen_requests_;
}

Result<std::vector<StoredRequest>> SqliteStore::read_requests() const {
  std::vector<StoredRequest> found;
  for (;;) {
    BETATUNE_TRY(const bool row, read_requests_.step());
    if (!row) return found;
    Result<Json> body = parse_body(read_requests_.text(2));
    if (!body) {
      read_requests_.reset();
      return Error{ErrorKind::corrupt, name_ + ": a request is not JSON"};
    }
    found.push_back({read_requests_.integer(0), read_requests_.string(1), std::move(body).value()});
  }
}

Status SqliteStore::add_request(const std::string& kind, const Json& body) {
  BETATUNE_TRY(Statement add,
               database_.prepare("INSERT INTO requests(at_us, kind, body) VALUES(?1, ?2, ?3)"));
  seen_version_ = -1;
  return add.with(wall_clock_us(), kind, json_text(body)).run();
}

}  // namespace

Result<std::unique_ptr<StudyStore>> open_sqlite_store(const std::filesystem::path& directory,
                                                      OpenMode mode) {
  return SqliteStore::open(directory, mode);
}

}  // namespace betatune
