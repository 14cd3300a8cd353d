#pragma once
/// Keeps a server's state over its death: a snapshot, and a journal of what came after it. A push
/// is written before it is applied, and it is applied before it is acknowledged; recovery loads the
/// snapshot and applies the journal again, which gives the same weights bit for bit.
///
/// What is guaranteed, once record() has returned and so for every acknowledged push:
///   sync = false   it survives the death of the process at any point (kill -9, a crash): the bytes
///   are
///                  the kernel's. Losing the machine may lose the last seconds.
///   sync = true    it also survives the loss of the machine, as far as its disk honours fdatasync.
/// A push that was being written is either there whole or not at all (a checksum tells), and the
/// worker, who has no answer, sends it again; its number tells whether it was there.
///
/// Files in the folder: `snapshot` (replaced by rename, checksum) and `journal.G` with the
/// snapshot's generation G. One server per folder: a lock on `lock` keeps a second one out.

#include <memory>
#include <string>

#include "trainers/torch/distributed/asynchronous/server_core.hpp"

namespace betatune::distributed::asynchronous {

struct JournalSettings {
  std::string folder;  ///< made if missing
  bool sync = false;
  /// A new snapshot is made when the journal is as long; default: 8 times the snapshot's size.
  std::uint64_t snapshot_after_bytes = 0;
};

class Journal {
 public:
  /// Restores `core` from the folder, or, if it is new, writes the first snapshot of `core`.
  /// errors plugin::Failure: no access, in use, of another model, or damaged (says which file)
  Journal(JournalSettings settings, ServerCore& core);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void record(const Push& push);
  void record_leave(int worker);
  /// Makes a snapshot if it is time. Call between two pushes.
  void compact(const ServerCore& core);
  /// What was there at the start: pushes in the journal that were applied again.
  std::uint64_t replayed() const { return replayed_; }

 private:
  enum class Kind : std::uint8_t { push = 1, leave = 2 };
  void write_snapshot(const ServerCore& core);
  bool read_snapshot(ServerCore& core);
  void replay(ServerCore& core);
  void apply(ServerCore& core, std::span<const std::byte> body);
  void open_journal(bool fresh);
  void append(const Bytes& head, const std::vector<std::span<const float>>& values);
  std::string path(const std::string& name) const { return settings_.folder + "/" + name; }
  std::string journal_name() const { return "journal." + std::to_string(generation_); }

  JournalSettings settings_;
  std::uint64_t generation_ = 0;
  int lock_ = -1, file_ = -1;
  std::uint64_t bytes_ = 0, snapshot_bytes_ = 0;
  std::uint64_t replayed_ = 0;
};

}  // namespace betatune::distributed::asynchronous
