#pragma once
/// Where the log lives. Adapters in stores/: sqlite (the default) and memory.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "optimizer/event.hpp"

namespace betatune {

/// A wish that another process left in the store (betatune enqueue, stop), to be taken by the
/// optimizer that owns the study, now or at its next start:
///
///   enqueue      {"params": {...}}   a complete configuration (space.complete)
///   stop_trial   {"trial": 3}
///   drain        {}                  meant for the optimizer that runs now: one that finds it
///                                    at its start takes it without acting on it
struct StoredRequest {
  std::int64_t id = 0;
  std::string kind;
  Json body;
};

class StudyStore {
 public:
  virtual ~StudyStore() = default;

  /// Appends in one durable transaction; events carry seq = expected+1, expected+2, ... Requests
  /// with the ids in `taken` are removed in the same transaction.
  /// Errors: conflict if another writer was here (wrong expected seq, or a newer epoch has taken
  /// over); unavailable if the disk is full or failing (nothing was written; may be tried again).
  virtual Status append(Sequence expected, std::span<const Event> events,
                        std::span<const std::int64_t> taken = {}) = 0;
  /// All events with seq > after, in order, at most `limit`.
  virtual Result<std::vector<Event>> read(Sequence after, std::size_t limit) const = 0;
  /// Takes the study over: the new epoch. Writes of holders of older epochs fail from here on.
  virtual Result<std::uint64_t> begin_epoch() = 0;

  virtual Result<std::vector<StoredRequest>> requests() const = 0;
  /// Allowed for any process, without an epoch.
  virtual Status add_request(const std::string& kind, const Json& body) = 0;
};

enum class OpenMode {
  read_only,     ///< reading commands; never blocks or locks out the optimizer
  request_only,  ///< may add requests
  optimizer,     ///< creates the file if needed and holds the study's lock until closed
};

/// `directory`/study.db. Errors (each says what to do): not_found, conflict (another optimizer
/// holds it, with its process id), corrupt (truncated, not ours), unsupported (newer version;
/// network file system), unavailable (read-only medium, no space).
Result<std::unique_ptr<StudyStore>> open_sqlite_store(const std::filesystem::path& directory,
                                                      OpenMode mode);
std::unique_ptr<StudyStore> make_memory_store();

}  // namespace betatune
