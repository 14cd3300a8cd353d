#include "optimizer/stores/sqlite_schema.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "optimizer/stores/file_system.hpp"

namespace betatune::sqlite {
namespace {

constexpr const char* kTruth = R"sql(
CREATE TABLE events(
  seq INTEGER PRIMARY KEY,
  at_us INTEGER NOT NULL,   -- microseconds since 1970, UTC
  type TEXT NOT NULL,
  body TEXT NOT NULL        -- JSON
);
-- AUTOINCREMENT: an id is never used twice, so that "taken" means one request only.
CREATE TABLE requests(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_us INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('epoch', 0), ('projection', 0);
)sql";

constexpr const char* kProjections = R"sql(
DROP VIEW IF EXISTS trials;
DROP VIEW IF EXISTS observations;
DROP VIEW IF EXISTS attempts;
DROP VIEW IF EXISTS checkpoints;
DROP VIEW IF EXISTS study;
DROP TABLE IF EXISTS trial_rows;
DROP TABLE IF EXISTS attempt_rows;
DROP TABLE IF EXISTS report_rows;
DROP TABLE IF EXISTS checkpoint_rows;
DROP TABLE IF EXISTS study_rows;

CREATE TABLE study_rows(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE trial_rows(
  id INTEGER PRIMARY KEY,
  state TEXT NOT NULL,      -- waiting, running, paused, closed
  outcome TEXT,             -- completed, stopped, failed, cancelled; NULL until closed
  loss REAL,                -- objective at loss_step, the highest step that has one; minimised
  loss_step INTEGER NOT NULL DEFAULT 0,
  step INTEGER NOT NULL DEFAULT 0,           -- of the current or last attempt
  metrics TEXT NOT NULL DEFAULT '{}',        -- of the highest step reported
  metrics_step INTEGER NOT NULL DEFAULT -1,
  standing_level INTEGER,   -- what it counts for in the search for the best one
  standing_violation REAL,
  standing_loss REAL,
  watched TEXT NOT NULL DEFAULT '{}',  -- last values of the metrics that outcome constraints read
  violation REAL NOT NULL,  -- of those constraints; 0: all are met, infinite: not known
  origin TEXT NOT NULL,
  first INTEGER NOT NULL,   -- the trial whose configuration it trains again; itself if none
  parent INTEGER,           -- the trial with whose checkpoint it began; NULL: with nothing
  parent_step INTEGER,      -- of that checkpoint
  replaces INTEGER,         -- the trial that ended for it
  params TEXT NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  failure TEXT,
  message TEXT,
  decision TEXT,
  decided_by TEXT,
  trainer TEXT,
  until INTEGER,
  checkpoint TEXT,
  checkpoint_step INTEGER,
  note TEXT,
  created_at_us INTEGER NOT NULL,
  started_at_us INTEGER,
  ended_at_us INTEGER
);
CREATE INDEX trial_rows_by_state ON trial_rows(state, outcome, failure);
CREATE INDEX trial_rows_by_standing
  ON trial_rows(standing_level DESC, standing_violation, standing_loss)
  WHERE standing_loss IS NOT NULL;
CREATE INDEX trial_rows_by_first ON trial_rows(first) WHERE first <> id;
CREATE TABLE attempt_rows(
  trial INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  trainer TEXT NOT NULL,
  from_step INTEGER NOT NULL,
  until INTEGER NOT NULL,
  resumed_from TEXT,        -- uri of a checkpoint; NULL: from scratch
  outcome TEXT,             -- reached, stopped, paused, failed, lost; NULL while it runs
  step INTEGER,
  failure TEXT,
  message TEXT,
  started_at_us INTEGER NOT NULL,
  ended_at_us INTEGER,
  began_us INTEGER NOT NULL,  -- the clock `active_us` of study_rows when it started
  work_us INTEGER,            -- and how far that went until it ended
  trained INTEGER,            -- steps, `until` at most
  gpus INTEGER NOT NULL,
  ranks INTEGER,              -- that were chosen for it; NULL: the study file gives one number
  PRIMARY KEY(trial, attempt)
) WITHOUT ROWID;
CREATE TABLE checkpoint_rows(
  seq INTEGER PRIMARY KEY,  -- of the event
  trial INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  step INTEGER NOT NULL,
  uri TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  digest TEXT,
  damaged INTEGER NOT NULL  -- found missing or changed by an attempt that was to go on from it
);
CREATE INDEX checkpoint_rows_by_trial ON checkpoint_rows(trial, seq);
CREATE TABLE report_rows(
  seq INTEGER PRIMARY KEY,  -- of the event
  trial INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  step INTEGER NOT NULL,
  at_us INTEGER NOT NULL,
  loss REAL,
  metrics TEXT NOT NULL
);
CREATE INDEX report_rows_by_trial ON report_rows(trial, step);

CREATE VIEW trials AS SELECT
  id, state, outcome, loss, iif(violation < 9e999, violation, NULL) AS violation, step, params,
  metrics, origin, iif(first = id, NULL, first) AS repeats, parent, parent_step, replaces, attempt AS attempts, failures, failure, message, trainer, checkpoint,
  checkpoint_step,
  strftime('%Y-%m-%dT%H:%M:%fZ', created_at_us / 1e6, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', started_at_us / 1e6, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', ended_at_us / 1e6, 'unixepoch') AS ended_at
FROM trial_rows;
CREATE VIEW observations AS SELECT
  r.trial AS trial, r.attempt AS attempt, r.step AS step, m.key AS metric, m.value AS value,
  strftime('%Y-%m-%dT%H:%M:%fZ', r.at_us / 1e6, 'unixepoch') AS at
FROM report_rows r, json_each(r.metrics) m;
CREATE VIEW attempts AS SELECT
  trial, attempt, trainer, from_step, until, resumed_from, outcome, step, failure, message, gpus,
  ranks,
  strftime('%Y-%m-%dT%H:%M:%fZ', started_at_us / 1e6, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', ended_at_us / 1e6, 'unixepoch') AS ended_at
FROM attempt_rows;
CREATE VIEW checkpoints AS SELECT trial, attempt, step, uri, bytes, digest, damaged
FROM checkpoint_rows;
CREATE VIEW study AS SELECT key, value FROM study_rows;
)sql";

Error damaged(const std::filesystem::path& file, const std::string& what) {
  return Error{ErrorKind::corrupt, fmt::format("{}: {}", file.string(), what)};
}

/// The name must not be found after a power loss while the bytes are not.
Status sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool fine = descriptor >= 0 && ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!fine) return Error{ErrorKind::unavailable, folder.string() + ": cannot be synced to disk"};
  return Ok{};
}

Status fill(const std::filesystem::path& file) {
  BETATUNE_TRY(Database database, Database::open(file, Access::create));
  BETATUNE_CHECK(database.execute(fmt::format("PRAGMA application_id={};"
                                              "PRAGMA user_version={};"
                                              "PRAGMA journal_mode=WAL;"
                                              "PRAGMA synchronous=FULL;",
                                              kApplicationId, kFormatVersion)
                                      .c_str()));
  BETATUNE_TRY(Transaction transaction, Transaction::begin(database));
  BETATUNE_CHECK(database.execute(kTruth));
  BETATUNE_CHECK(create_projections(database));
  return transaction.commit();
}

/// Reads the first page: garbage, a cut file and other programs' databases show here.
Status check_database(const Database& database, const std::filesystem::path& file) {
  BETATUNE_TRY(const std::int64_t application, database.query_integer("PRAGMA application_id"));
  BETATUNE_TRY(const std::int64_t version, database.query_integer("PRAGMA user_version"));
  if (application != kApplicationId) {
    return damaged(
        file,
        "is not a Betatune study (another program's database, or an empty file); move it "
        "away or give another storage.path");
  }
  if (version > kFormatVersion) {
    return Error{
        ErrorKind::unsupported,
        fmt::format("{}: written by a newer Betatune (format {}, this one reads up to {}); "
                    "use that version",
                    file.string(), version, kFormatVersion)};
  }
  BETATUNE_CHECK(database.query_integer("SELECT max(seq) FROM events"));
  return Ok{};
}

bool has_log(const std::filesystem::path& file) {
  std::error_code ignored;
  const auto bytes = std::filesystem::file_size(file.string() + "-wal", ignored);
  return !ignored && bytes > 0;
}

Result<Database> open_read_only(const std::filesystem::path& file) {
  Result<Database> database = Database::open(file, Access::read_only);
  Status status = database ? check_database(database.value(), file) : Status(database.error());
  if (status) return database;
  // A folder that cannot be written has no place for WAL's shared memory. With nothing in the WAL
  // the file itself is whole, and may be read without locks.
  if (status.error().kind == ErrorKind::unavailable && !has_log(file)) {
    database = Database::open(file, Access::immutable);
    if (!database) return database;
    status = check_database(database.value(), file);
  }
  if (!status) return status.error();
  return database;
}

Status check_place(const std::filesystem::path& file) {
  const auto network = network_file_system_of(file.parent_path());
  if (!network) return Ok{};
  return Error{ErrorKind::unsupported,
               fmt::format("{}: lies on a network file system ({}), where SQLite loses data; set "
                           "storage.path to a folder on a disk of this machine",
                           file.parent_path().string(), *network)};
}

}  // namespace

Status create_projections(Database& database) {
  BETATUNE_CHECK(database.execute(kProjections));
  return database.execute(
      fmt::format("UPDATE meta SET value={} WHERE key='projection'", kProjectionVersion).c_str());
}

Status create_database(const std::filesystem::path& file) {
  BETATUNE_CHECK(check_place(file));
  const std::filesystem::path draft = file.string() + ".new";
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    std::filesystem::remove(draft.string() + suffix, ignored);
  }
  BETATUNE_CHECK(fill(draft));
  std::error_code failed;
  std::filesystem::rename(draft, file, failed);
  if (failed) {
    return Error{ErrorKind::unavailable, fmt::format("{}: {}", file.string(), failed.message())};
  }
  return sync_folder(file.parent_path());
}

Result<Database> open_database(const std::filesystem::path& file, OpenMode mode) {
  if (mode == OpenMode::read_only) return open_read_only(file);
  BETATUNE_CHECK(check_place(file));
  BETATUNE_TRY(Database database, Database::open(file, Access::read_write));
  BETATUNE_CHECK(check_database(database, file));
  // A larger WAL than by default: a checkpoint copies every page once, however often it was
  // written.
  BETATUNE_CHECK(database.execute("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;"));
  return database;
}

}  // namespace betatune::sqlite
