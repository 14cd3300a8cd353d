#pragma once
/// The agent's side of its workers: one fork server per plug-in (and number of threads), started
/// when first needed, restarted when it dies; one link per running attempt.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "trainers/agent_core.hpp"
#include "trainers/gpu_memory.hpp"
#include "trainers/posix.hpp"
#include "transport/asio.hpp"

namespace betatune {

class AttemptPool {
 public:
  struct Listener {
    std::function<void(const WorkKey&, const WorkerMessage&)> said;
    std::function<void(const WorkKey&, const ProcessEnd&)> ended;
    std::function<void(const WorkKey&, const AttemptFailure&)> failed;
    /// Whether more of this attempt's reports can be taken now.
    std::function<bool(const WorkKey&)> may_read;
    /// It cannot begin yet, or does now: its GPUs are not free.
    std::function<void(const WorkKey&, bool)> waits;
  };

  AttemptPool(asio::io_context& loop, Listener listener, Milliseconds grace);
  ~AttemptPool();

  void start(const WorkKey& key, const Assign& assign);
  void tell(const WorkKey& key, Action action);
  void end(const WorkKey& key);
  /// Reads on where may_read() said no before.
  void resume_reading();

 private:
  struct Server;
  struct Running;
  using ServerPtr = std::shared_ptr<Server>;
  using RunningPtr = std::shared_ptr<Running>;

  Result<ServerPtr> server_for(const Assign& assign);
  Result<ServerPtr> start_server(const std::string& name, const std::string& plugin_path, int cpus);
  void retire_idle(const std::string& plugin_path, const std::string& but);
  void read_server(const ServerPtr& server);
  void heard_server(const ServerPtr& server, const std::string& packet);
  void server_died(const ServerPtr& server);
  void sweep();
  void read_link(const RunningPtr& running);
  /// False once the link has been read to its end.
  bool drain_link(const RunningPtr& running, bool all);
  RunningPtr take_running(std::uint64_t number);
  void start_when_free(const RunningPtr& running);
  std::vector<std::string> gpus_to_be_free(const Running& running) const;
  void spawn(const RunningPtr& running);
  bool waits(const RunningPtr& running) const;
  std::map<std::string, std::string> environment_of(const Assign& assign);
  void fail(const WorkKey& key, FailureClass kind, const std::string& message);

  asio::io_context& loop_;
  Listener listener_;
  Milliseconds grace_;
  std::uint64_t next_number_ = 1;  ///< names a worker to its server
  std::map<std::string, ServerPtr> servers_;
  std::map<std::uint64_t, RunningPtr> running_;
  std::vector<std::string> devices_;  ///< CUDA devices to share out, if any are visible
  std::map<std::string, int> device_use_;
  Nvml nvml_;
  GpuMemory gpu_memory_;
  asio::steady_timer sweep_;
};

}  // namespace betatune
