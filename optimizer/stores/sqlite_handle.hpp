#pragma once
/// A connection and its prepared statements as owners, with SQLite's codes turned into our errors.
/// Only stores/sqlite*.cpp include this; only sqlite_handle.cpp includes sqlite3.h.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "searchspaces/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace betatune::sqlite {

/// A prepared statement. Bind, step until it has no more rows, reset; `run` does all three.
class Statement {
 public:
  Statement() = default;

  void bind(int index, std::int64_t value);
  void bind(int index, double value);
  /// `value` must stay alive until the statement is reset.
  void bind(int index, std::string_view value);
  void bind_null(int index);

  /// Binds 1, 2, 3 ... in order; empty optionals become NULL.
  template <class... Ts>
  Statement& with(const Ts&... values) {
    int index = 0;
    (bind_any(++index, values), ...);
    return *this;
  }

  /// True: a row is there. False: no more rows (the statement is then reset).
  Result<bool> step();
  /// For statements without rows.
  Status run();
  void reset();

  std::int64_t integer(int column) const;
  double real(int column) const;
  /// Valid until the next step or reset.
  std::string_view text(int column) const;
  bool is_null(int column) const;
  std::optional<double> optional_real(int column) const;
  std::string string(int column) const { return std::string(text(column)); }

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  template <class T>
  void bind_any(int index, const T& value) {
    if constexpr (requires { value.has_value(); }) {
      value ? bind_any(index, *value) : bind_null(index);
    } else if constexpr (std::is_integral_v<T>) {
      bind(index, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      bind(index, static_cast<double>(value));
    } else {
      bind(index, std::string_view(value));
    }
  }

  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

enum class Access {
  read_only,
  /// For media that nobody can write: takes no locks. Never for a file that somebody may change.
  immutable,
  read_write,
  create,
};

class Database {
 public:
  /// Errors: not_found, unavailable, corrupt. Content is looked at only by the first statement.
  static Result<Database> open(const std::filesystem::path& file, Access access);

  /// One or more statements without rows.
  Status execute(const char* sql);
  /// Errors: corrupt if the schema is not what the statement expects.
  Result<Statement> prepare(std::string_view sql) const;
  /// The first column of the first row; 0 if there is none.
  Result<std::int64_t> query_integer(std::string_view sql) const;
  /// Rows changed by the last statement.
  std::int64_t changes() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Close> handle_;
  std::string name_;
};

/// BEGIN IMMEDIATE ... COMMIT; rolls back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Status commit();
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace betatune::sqlite
