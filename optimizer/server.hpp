#pragma once
/// The shell round one coordinator: sockets, disk, clock and threads.
///
/// One thread: messages, finished plans, requests and ticks are inputs; each goes through
/// Coordinator::step; one append takes the facts of the whole batch; only then are the sends
/// released. While the store cannot write (disk full), inputs wait and nothing is sent.

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "optimizer/coordinator.hpp"
#include "optimizer/file_transfers.hpp"
#include "optimizer/launcher.hpp"
#include "optimizer/refusal_limit.hpp"
#include "optimizer/store.hpp"
#include "transport/endpoint.hpp"
#include "transport/key_ring.hpp"

namespace betatune {

/// What the run command shows. Called on the loop's thread, after the facts are durable.
class ServerObserver {
 public:
  virtual ~ServerObserver() = default;
  virtual void on_events(std::span<const Event> events, const Coordinator& coordinator) = 0;
  /// Four times per second.
  virtual void on_tick(const Coordinator& coordinator,
                       const std::vector<LaunchedTrainer>& trainers) = 0;
  virtual void on_notice(const std::string& text) = 0;
  /// Once: trainers can connect now. Only a bound socket knows its port where the study's `bind`
  /// leaves it open.
  virtual void on_listening(const std::string& /*endpoint*/) {}
  /// Before a tick, and at the end.
  virtual void on_refused(const Refused& /*so_far*/) {}
  /// Before a tick: files on their way to and from trainers that do not see the study's folder.
  virtual void on_files(const FileTransfers& /*now*/) {}
};

struct ServerOptions {
  Bind bind;
  std::optional<KeyRing> keys;           ///< of a bind that asks for keys
  std::filesystem::path local_key_file;  ///< where the key of launched trainers is put then
  std::filesystem::path log_directory;
  std::filesystem::path study_directory;  ///< for the files of trainers that do not see it
  int plan_threads = 1;
  /// How long running trials may go on after a drain was asked for, before they are cancelled.
  std::chrono::milliseconds drain_grace = std::chrono::minutes(10);
};

struct ServerParts {
  Coordinator& coordinator;  ///< replayed, not started
  const Searcher& searcher;
  StudyStore& store;
  Launcher* launcher;  ///< null for external trainers
  ServerObserver& observer;
};

/// Serves until the study is done, drained or cancelled; returns Effects::finished, or "no_trainer"
/// if no launched trainer ever connected. SIGINT and SIGTERM: the first drains, the second cancels.
/// Errors: conflict (fenced out), corrupt, invalid_argument (the endpoint), not_found, unavailable.
Result<std::string> serve(const ServerParts& parts, const ServerOptions& options);

}  // namespace betatune
