#include "optimizer/stores/sqlite_handle.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

namespace betatune::sqlite {
namespace {

/// How long a connection waits for another one's write: a writer holds the file for milliseconds.
constexpr int kBusyTimeoutMs = 10'000;

ErrorKind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // a table or column is missing: not the schema that we wrote
    case SQLITE_MISMATCH:
      return ErrorKind::corrupt;
    case SQLITE_CONSTRAINT:
      return ErrorKind::conflict;
    default:
      return ErrorKind::unavailable;
  }
}

const char* advice_for(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "; free some space on its disk, nothing of this write was kept";
    case SQLITE_IOERR:
      return "; the disk refused the access (full, quota or failing), nothing of this write was "
             "kept";
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return "; make the file and its folder writable for this user";
    case SQLITE_CANTOPEN:
      return "; check that the file and its folder may be read and written by this user";
    case SQLITE_CORRUPT:
      return "; the file is damaged, restore it from a copy (`sqlite3 FILE .recover` may save "
             "parts)";
    case SQLITE_NOTADB:
      return "; it is not a Betatune study, move it away or give another storage.path";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another process is writing for too long, try again";
    default:
      return "";
  }
}

Error error_of(sqlite3* database, int code) {
  // sqlite3_db_filename belongs to the connection; empty for a database in memory.
  const char* file = database == nullptr ? nullptr : sqlite3_db_filename(database, "main");
  const char* what = database == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database);
  return Error{kind_of(code), fmt::format("{}: {}{}", file == nullptr ? "study.db" : file, what,
                                          advice_for(code))};
}

int flags_of(Access access) {
  constexpr int kCommon = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
  switch (access) {
    case Access::read_write:
      return kCommon | SQLITE_OPEN_READWRITE;
    case Access::create:
      return kCommon | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    default:
      return kCommon | SQLITE_OPEN_READONLY;
  }
}

/// As a URI: a path may hold '?', '#' or '%', which would be read as parts of the URI.
std::string uri_of(const std::filesystem::path& file, Access access) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(file).string()) {
    if (c == '?' || c == '#' || c == '%') {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return access == Access::immutable ? uri + "?immutable=1" : uri;
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void Statement::bind(int index, std::int64_t value) {
  BETATUNE_ASSERT(sqlite3_bind_int64(handle_.get(), index, value) == SQLITE_OK);
}
void Statement::bind(int index, double value) {
  BETATUNE_ASSERT(sqlite3_bind_double(handle_.get(), index, value) == SQLITE_OK);
}
void Statement::bind(int index, std::string_view value) {
  // A null pointer would bind NULL.
  const char* data = value.data() == nullptr ? "" : value.data();
  BETATUNE_ASSERT(sqlite3_bind_text64(handle_.get(), index, data, value.size(), SQLITE_STATIC,
                                      SQLITE_UTF8) == SQLITE_OK);
}
void Statement::bind_null(int index) {
  BETATUNE_ASSERT(sqlite3_bind_null(handle_.get(), index) == SQLITE_OK);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(handle_.get());
    return false;
  }
  Error error = error_of(sqlite3_db_handle(handle_.get()), code);
  sqlite3_reset(handle_.get());
  return error;
}

Status Statement::run() {
  BETATUNE_TRY(const bool row, step());
  if (row) reset();
  return Ok{};
}

void Statement::reset() {
  sqlite3_reset(handle_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_.get(), column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(handle_.get(), column);
}
std::string_view Statement::text(int column) const {
  const unsigned char* data = sqlite3_column_text(handle_.get(), column);
  if (data == nullptr) return {};
  const int bytes = sqlite3_column_bytes(handle_.get(), column);
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(bytes)};
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}
std::optional<double> Statement::optional_real(int column) const {
  if (is_null(column)) return std::nullopt;
  return real(column);
}

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Result<Database> Database::open(const std::filesystem::path& file, Access access) {
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(uri_of(file, access).c_str(), &handle, flags_of(access), nullptr);
  Database database;
  database.handle_.reset(handle);  // owned even when opening failed
  database.name_ = file.string();
  if (code != SQLITE_OK) {
    Error error = error_of(nullptr, code);
    error.message = file.string() + error.message.substr(error.message.find(':'));
    return error;
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return database;
}

Status Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(handle_.get(), code);
  return Ok{};
}

Result<Statement> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) return error_of(handle_.get(), code);
  Statement statement;
  statement.handle_.reset(raw);
  return statement;
}

Result<std::int64_t> Database::query_integer(std::string_view sql) const {
  BETATUNE_TRY(Statement statement, prepare(sql));
  BETATUNE_TRY(const bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

std::int64_t Database::changes() const {
  return sqlite3_changes64(handle_.get());
}

Result<Transaction> Transaction::begin(Database& database) {
  // IMMEDIATE: a deferred transaction that reads first may fail when it wants to write.
  BETATUNE_CHECK(database.execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Status Transaction::commit() {
  BETATUNE_CHECK(database_->execute("COMMIT"));
  database_ = nullptr;
  return Ok{};
}

Transaction::~Transaction() {
  // SQLite has rolled back by itself after some I/O errors; a second rollback is then harmless.
  if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK"));
}

}  // namespace betatune::sqlite
