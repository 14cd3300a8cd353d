#pragma once
/// The study's folder for trainers that do not see it: takes the files of their checkpoints and
/// logs, and gives out those of checkpoints that attempts go on from (PUT and GET of BTP/1).
///
/// A checkpoint is put together in `incoming/`, beside everything else, and gets its place when
/// every file that its list names has arrived whole: a reader sees all of it or nothing. What is in
/// `incoming/` is worth nothing: a new start begins with an empty one, and trainers send again.
/// A file of an attempt's own folder (its log) gets its place by itself.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "transport/digest.hpp"
#include "transport/message.hpp"
#include "transport/object_store.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune {

struct ExchangeOptions {
  /// What has its place is there after a loss of power, too: each folder is synced before.
  bool survives_power_loss = true;
  /// Of the disk, for the log, which is worth more than a checkpoint.
  std::uintmax_t left_free_bytes = 256u << 20;
};

/// Reads and writes files, and blocks for as long as that takes: one thread's, not the loop's.
class FolderExchange {
 public:
  explicit FolderExchange(std::filesystem::path study_dir, ExchangeOptions options = {});
  FolderExchange(const FolderExchange&) = delete;
  FolderExchange& operator=(const FolderExchange&) = delete;
  /// Removes `incoming/`.
  ~FolderExchange();

  /// Nothing where the disk cannot be written, or is nearly full: the trainer sends again. Whether
  /// the trainer may put this is the caller's to know.
  std::optional<FileStored> put(const PutFile& message);
  FileData get(const GetFile& message) const;
  /// What has arrived for attempts that are over goes.
  void forget(TrialId trial, AttemptId attempt);

 private:
  struct File {
    std::uint64_t size = 0;
    std::string digest;
    std::uint64_t held = 0;
    bool whole = false;
    std::optional<Digester> so_far;  ///< of what is held of a file that is on its way
    int spoilt = 0;  ///< times that all bytes were there and the digest was another one
  };
  struct Key {
    TrialId trial;
    AttemptId attempt;
    std::string folder;
    auto operator<=>(const Key&) const = default;
  };
  struct Incoming {
    std::filesystem::path folder;
    std::map<std::string, File> files;
  };

  std::optional<FileStored> answer_published(const PutFile& message, FileStored answer) const;
  Result<File*> file_of(const PutFile& message, Incoming& incoming);
  Status write(const PutFile& message, const std::filesystem::path& path, File& file) const;
  Status finish(const PutFile& message, Incoming& incoming, FileStored& answer);
  Status publish(const PutFile& message, Incoming& incoming) const;
  Status give_name(const std::filesystem::path& folder, const std::filesystem::path& name) const;
  bool has_room(std::uint64_t bytes) const;

  std::filesystem::path study_dir_;
  ExchangeOptions options_;
  ObjectStore objects_;
  std::map<Key, Incoming> incoming_;
  std::uint64_t next_ = 0;  ///< names a folder in incoming/
};

}  // namespace betatune
