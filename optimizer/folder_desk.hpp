#pragma once
/// Answers PUT and GET beside the server's loop: one thread reads and writes the files.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <utility>

#include "optimizer/coordinator.hpp"
#include "optimizer/file_transfers.hpp"
#include "optimizer/worker_pool.hpp"
#include "transport/asio.hpp"
#include "transport/folder_exchange.hpp"

namespace betatune {

class FolderDesk {
 public:
  using Send = std::function<void(const PeerId&, const Message&)>;

  /// `send` is called on the loop. To be destroyed before the loop is.
  FolderDesk(asio::io_context& loop, const std::filesystem::path& study_dir, Send send);

  /// A message that the coordinator has admitted. Dropped while too many wait: its trainer sends it
  /// again.
  void take(Received received);
  /// What has arrived for attempts that are over goes.
  void tidy(const StudyState& state);
  const FileTransfers& transfers() const { return transfers_; }
  /// Messages that take() has dropped.
  std::uint64_t dropped() const { return dropped_; }

 private:
  std::optional<Message> answer(const Message& message);

  asio::io_context& loop_;
  Send send_;
  std::size_t waiting_ = 0;
  std::uint64_t dropped_ = 0;
  std::set<std::pair<TrialId, AttemptId>> sending_;  ///< attempts that have put something
  FileTransfers transfers_;
  FolderExchange exchange_;  ///< the thread's
  WorkerPool thread_;
};

}  // namespace betatune
