#pragma once
/// Which files are on their way between the optimizer and trainers that do not see the study's
/// folder, and how far, as the answers to PUT and GET tell. For people: nothing is decided by it,
/// and it is gone with the optimizer.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "optimizer/coordinator.hpp"

namespace betatune {

/// Whether an attempt still runs: files of others are nobody's any more.
bool is_under_way(const StudyState& state, TrialId trial, AttemptId attempt);

/// What the trainer does.
enum class FileWay { sends, fetches };
constexpr auto enum_names(FileWay) {
  using enum FileWay;
  return std::array{EnumName<FileWay>{sends, "sends"}, EnumName<FileWay>{fetches, "fetches"}};
}

/// One that has begun and is not there yet.
struct FileTransfer {
  FileWay way = FileWay::sends;
  std::string folder, path;
  std::uint64_t bytes = 0;  ///< that are there
  std::uint64_t size = 0;
  Monotonic moved{0};  ///< when the last of them came
};

class FileTransfers {
 public:
  using Key = std::pair<TrialId, AttemptId>;

  /// A PUT or GET and its answer; none where the disk cannot be written now.
  void told(const Message& asked, const std::optional<Message>& answer, Monotonic now);
  /// Forgets those of attempts that are over.
  void keep_current(const StudyState& state);
  /// An attempt's files travel one after the other.
  const std::map<Key, FileTransfer>& all() const { return all_; }

 private:
  void note(const Key& key, FileTransfer seen, bool over);

  std::map<Key, FileTransfer> all_;
};

}  // namespace betatune
