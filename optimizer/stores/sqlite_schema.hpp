#pragma once
/// Tables and views of a study's database, how it is made, and how it is opened.
///
/// `events` is the truth. `trial_rows`, `report_rows` and `study_rows` are projections of it,
/// written in the same transaction and made again from it when their version changes. The views
/// `trials`, `observations` and `study` are for users and stay as documented (docs/database.md).

#include <filesystem>

#include "optimizer/store.hpp"
#include "optimizer/stores/sqlite_handle.hpp"

namespace betatune::sqlite {

/// PRAGMA application_id: "Beta" in ASCII; `file` shows it.
inline constexpr int kApplicationId = 0x42657461;
/// PRAGMA user_version: the format of `events`, `requests` and `meta`.
inline constexpr int kFormatVersion = 1;
/// meta.projection: the format of the projections.
inline constexpr int kProjectionVersion = 7;

inline constexpr const char* kFileName = "study.db";
inline constexpr const char* kLockName = "study.lock";

/// Makes `file`, whole or not at all: written beside it under another name, then renamed.
Status create_database(const std::filesystem::path& file);

/// Opens and checks a database that is there. Errors as open_sqlite_store.
Result<Database> open_database(const std::filesystem::path& file, OpenMode mode);

/// Drops and makes the empty projection tables, their indices and the views. In a transaction.
Status create_projections(Database& database);

}  // namespace betatune::sqlite
