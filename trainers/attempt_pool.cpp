#include "trainers/attempt_pool.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>

#include "searchspaces/limits.hpp"
#include "searchspaces/log.hpp"
#include "trainers/plugin_host.hpp"
#include "trainers/processes.hpp"
#include "trainers/server_process.hpp"

namespace betatune {

using Descriptor = asio::posix::stream_descriptor;

struct AttemptPool::Server {
  std::string name;         ///< key in servers_
  std::string plugin_path;  ///< empty: commands
  pid_t pid = 0;
  Descriptor control;
  bool loaded = false;
  std::string refusal;  ///< why the plug-in cannot be used
  int running = 0;

  Server(asio::io_context& loop, int fd) : control(loop, fd) {}
};

struct AttemptPool::Running {
  WorkKey key;
  std::uint64_t number = 0;
  ServerPtr server;
  Descriptor link;
  bool reading = false;
  std::vector<std::string> devices;  ///< chosen for it, of those that there are
  std::vector<std::string> gpus;     ///< that it may use; empty: none, or all that there are
  bool takes_gpus = false;
  std::string packet;      ///< that starts it, until it does
  UniqueFd worker_end;     ///< of the link, until then
  Milliseconds free_by{};  ///< when its GPUs are not waited for any longer
  asio::steady_timer again;

  Running(asio::io_context& loop, int fd) : link(loop, fd), again(loop) {}
};

namespace {

constexpr int kPacketsPerTurn = 64;
constexpr Milliseconds kSweepAgain{50};
constexpr Milliseconds kGpuAgain{50};
constexpr Milliseconds kGpuLongest{10'000};

/// Changes when the file does: a plug-in that was built again is loaded again.
std::string identity(const std::string& path) {
  struct stat info {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) return path;
  return path + "|" + std::to_string(info.st_ino) + "|" + std::to_string(info.st_mtim.tv_sec) +
         "." + std::to_string(info.st_mtim.tv_nsec);
}

std::vector<std::string> visible_devices() {
  std::vector<std::string> devices;
  const char* listed = std::getenv("CUDA_VISIBLE_DEVICES");
  std::stringstream stream(listed != nullptr ? listed : "");
  for (std::string each; std::getline(stream, each, ',');) {
    if (!each.empty()) devices.push_back(each);
  }
  return devices;
}

}  // namespace

AttemptPool::AttemptPool(asio::io_context& loop, Listener listener, Milliseconds grace)
    : loop_(loop),
      listener_(std::move(listener)),
      grace_(grace),
      devices_(visible_devices()),
      gpu_memory_([this](const auto& gpus) { return nvml_.holders(gpus); }),
      sweep_(loop) {
  // What a killed fork server leaves behind becomes this process's child, and is ended.
  become_subreaper();
}

AttemptPool::~AttemptPool() {
  // Closing the control sockets tells the servers to end their workers; then wait for them.
  std::vector<pid_t> pids;
  for (auto& [name, server] : servers_) {
    server->control.close();
    if (!server->loaded) ::kill(server->pid, SIGKILL);
    pids.push_back(server->pid);
  }
  for (const pid_t pid : pids) ::waitpid(pid, nullptr, 0);
  end_all_descendants();
}

void AttemptPool::fail(const WorkKey& key, FailureClass kind, const std::string& message) {
  // Later, not now: the caller is in the middle of carrying out effects.
  asio::post(loop_, [this, key, kind, message] { listener_.failed(key, {kind, message}); });
}

std::map<std::string, std::string> AttemptPool::environment_of(const Assign& assign) {
  std::map<std::string, std::string> environment;
  const auto wanted = static_cast<std::size_t>(std::max(0, assign.job.gpus));
  if (wanted == 0 || devices_.size() <= wanted) return environment;
  // More devices than one trial wants: the least used ones.
  std::vector<std::string> sorted = devices_;
  std::stable_sort(sorted.begin(), sorted.end(), [this](const auto& a, const auto& b) {
    return device_use_[a] < device_use_[b];
  });
  std::string& list = environment["CUDA_VISIBLE_DEVICES"];
  for (std::size_t i = 0; i < wanted; ++i) list += (i == 0 ? "" : ",") + sorted[i];
  return environment;
}

void AttemptPool::start(const WorkKey& key, const Assign& assign) {
  const TrainerJob& wanted = assign.job;
  if (wanted.ranks < 1 || wanted.ranks > limits::kRanks) {
    return fail(key, FailureClass::user,
                "a trial of " + std::to_string(wanted.ranks) + " ranks; 1 to " +
                    std::to_string(limits::kRanks) + " are possible");
  }
  if (wanted.ranks > 1 && wanted.plugin.empty() && !wanted.per_rank) {
    return fail(key, FailureClass::user,
                "a command of one process for several ranks; set `trainer.processes: per-rank`, or "
                "have it start its processes itself");
  }
  auto server = server_for(assign);
  if (!server) return fail(key, FailureClass::user, server.error().message);
  auto link = packet_pair();
  if (!link) return fail(key, FailureClass::infra, link.error().message);
  WorkerJob job;
  job.assign = assign;
  job.environment = environment_of(assign);
  job.grace_ms = grace_.count();
  auto running = std::make_shared<Running>(loop_, link.value().first.release());
  running->key = key;
  running->number = next_number_++;
  running->server = server.value();
  std::stringstream devices(job.environment["CUDA_VISIBLE_DEVICES"]);
  for (std::string each; std::getline(devices, each, ',');) running->devices.push_back(each);
  if (running->devices.empty()) job.environment.erase("CUDA_VISIBLE_DEVICES");
  running->takes_gpus = wanted.gpus > 0;
  running->gpus = running->devices.empty() ? devices_ : running->devices;
  running->packet = json_text({{"spawn", running->number}, {"job", encode_json(job)}});
  running->worker_end = std::move(link.value().second);
  running->free_by = monotonic_ms() + kGpuLongest;
  for (const std::string& each : running->devices) ++device_use_[each];
  ++running->server->running;
  running_[running->number] = running;
  start_when_free(running);
}

bool AttemptPool::waits(const RunningPtr& running) const {
  return !running->packet.empty();
}

/// Those that no other trial of this trainer uses: what two share is never free.
std::vector<std::string> AttemptPool::gpus_to_be_free(const Running& running) const {
  std::vector<std::string> gpus = running.gpus;
  for (const auto& [number, other] : running_) {
    if (number == running.number || !other->takes_gpus) continue;
    const std::vector<std::string>& taken = other->gpus;
    std::erase_if(gpus, [&taken](const std::string& gpu) {
      return std::find(taken.begin(), taken.end(), gpu) != taken.end();
    });
  }
  return gpus;
}

void AttemptPool::start_when_free(const RunningPtr& running) {
  if (!running->takes_gpus) return spawn(running);
  const auto gpus = gpus_to_be_free(*running);
  const bool shared = gpus.empty() && (running_.size() > 1 || !running->gpus.empty());
  const auto left = shared ? std::vector<GpuHolder>{} : gpu_memory_.left(gpus);
  if (!left.empty() && monotonic_ms() < running->free_by) {
    listener_.waits(running->key, true);
    running->again.expires_after(kGpuAgain);
    running->again.async_wait([this, running](const boost::system::error_code& error) {
      const bool wanted = running_.count(running->number) != 0 && waits(running);
      if (!error && wanted) start_when_free(running);
    });
    return;
  }
  if (!left.empty()) {
    log().warn("trial {} starts on GPUs that are not free after {} s: {}", running->key.trial.n,
               kGpuLongest.count() / 1'000, text_of(left));
    gpu_memory_.give_up(left);
  }
  listener_.waits(running->key, false);
  spawn(running);
}

void AttemptPool::spawn(const RunningPtr& running) {
  const Status sent = send_packet(running->server->control.native_handle(), running->packet,
                                  running->worker_end.get());
  running->packet.clear();
  running->worker_end.reset();
  // A server that has just ended says why, or its end does, once that is read: server_died().
  const bool gone = !sent && sent.error().kind == ErrorKind::unavailable;
  if (sent || gone) return read_link(running);
  take_running(running->number);
  fail(running->key, FailureClass::infra, sent.error().message);
}

Result<AttemptPool::ServerPtr> AttemptPool::server_for(const Assign& assign) {
  std::string path;
  if (!assign.job.plugin.empty()) {
    BETATUNE_TRY(path, find_plugin(assign.job.plugin, assign.job.directory));
  }
  const int threads = std::max(1, assign.job.cpus / std::max(1, assign.job.ranks));
  const std::string name = identity(path) + "|" + std::to_string(threads);
  const auto found = servers_.find(name);
  if (found != servers_.end()) return found->second;
  retire_idle(path, name);
  return start_server(name, path, threads);
}

void AttemptPool::retire_idle(const std::string& plugin_path, const std::string& but) {
  for (auto at = servers_.begin(); at != servers_.end();) {
    const ServerPtr server = at->second;
    ++at;
    if (server->plugin_path == plugin_path && server->name != but && server->running == 0) {
      server_died(server);
    }
  }
}

Result<AttemptPool::ServerPtr> AttemptPool::start_server(const std::string& name,
                                                         const std::string& plugin_path, int cpus) {
  BETATUNE_TRY(ServerProcess process, start_server_process(plugin_path, cpus));
  auto server = std::make_shared<Server>(loop_, process.control.release());
  server->name = name;
  server->plugin_path = plugin_path;
  server->pid = process.pid;
  servers_[name] = server;
  read_server(server);
  return server;
}

void AttemptPool::read_server(const ServerPtr& server) {
  server->control.async_wait(
      Descriptor::wait_read, [this, server](const boost::system::error_code& error) {
        if (error || !server->control.is_open()) return;
        for (int i = 0; i < kPacketsPerTurn; ++i) {
          const Packet packet = receive_packet(server->control.native_handle(), false);
          if (packet.state == Packet::State::closed) return server_died(server);
          if (packet.state == Packet::State::none_now) break;
          heard_server(server, packet.bytes);
        }
        read_server(server);
      });
}

AttemptPool::RunningPtr AttemptPool::take_running(std::uint64_t number) {
  const auto found = running_.find(number);
  if (found == running_.end()) return nullptr;
  RunningPtr running = found->second;
  running_.erase(found);
  --running->server->running;
  for (const std::string& each : running->devices) --device_use_[each];
  // What it said last is still in the socket.
  drain_link(running, true);
  running->link.close();
  return running;
}

void AttemptPool::heard_server(const ServerPtr& server, const std::string& packet) {
  const Json json = Json::parse(packet, nullptr, false);
  if (json.contains("loaded")) {
    server->loaded = true;
    log().info("loaded {}", json.at("loaded").get<std::string>());
  } else if (json.contains("failed")) {
    server->refusal = json.at("failed").get<std::string>();
  } else if (json.contains("exited")) {
    const RunningPtr running = take_running(json.at("exited").get<std::uint64_t>());
    if (!running) return;
    ProcessEnd end;
    end.wait_status = json.at("status").get<int>();
    end.oom_killer = json.at("oom").get<bool>();
    end.output = json.at("output").get<std::string>();
    end.rank = json.at("rank").get<int>();
    end.note = json.at("note").get<std::string>();
    listener_.ended(running->key, end);
  }
}

void AttemptPool::server_died(const ServerPtr& server) {
  server->control.close();
  const auto listed = servers_.find(server->name);
  if (listed != servers_.end() && listed->second == server) servers_.erase(listed);
  // Its workers die with it, or it has ended them; what was left behind came to this process.
  if (!server->loaded) ::kill(server->pid, SIGKILL);
  int status = 0;
  ::waitpid(server->pid, &status, 0);
  sweep();

  AttemptFailure failure{FailureClass::infra,
                         "the process that keeps the plug-in loaded was killed"};
  if (!server->refusal.empty()) {
    failure = {FailureClass::user, server->refusal};
  } else if (!server->loaded) {
    ProcessEnd end;
    end.wait_status = status;
    failure = failure_of(end, "loading " + server->plugin_path);
  }
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, running] : running_) {
    if (running->server == server) numbers.push_back(number);
  }
  for (const std::uint64_t number : numbers) listener_.failed(take_running(number)->key, failure);
}

/// What a fork server left behind comes to this process one generation after the other: each end
/// hands over the next.
void AttemptPool::sweep() {
  std::set<pid_t> servers;
  for (const auto& [name, each] : servers_) servers.insert(each->pid);
  if (end_strays(servers) == 0) return;
  sweep_.expires_after(kSweepAgain);
  sweep_.async_wait([this](const boost::system::error_code& error) {
    if (!error) sweep();
  });
}

void AttemptPool::read_link(const RunningPtr& running) {
  if (running->reading || !running->link.is_open() || !listener_.may_read(running->key)) return;
  running->reading = true;
  running->link.async_wait(Descriptor::wait_read,
                           [this, running](const boost::system::error_code& error) {
                             running->reading = false;
                             if (error || !running->link.is_open()) return;
                             if (drain_link(running, false)) read_link(running);
                           });
}

bool AttemptPool::drain_link(const RunningPtr& running, bool all) {
  for (int i = 0; all || i < kPacketsPerTurn; ++i) {
    if (!all && !listener_.may_read(running->key)) return true;
    const Packet packet = receive_packet(running->link.native_handle(), false);
    if (packet.state == Packet::State::closed) return false;
    if (packet.state == Packet::State::none_now) return true;
    const auto message = decode_worker_message(packet.bytes);
    if (message) {
      listener_.said(running->key, message.value());
    } else {
      log().warn("trial {}: {}", running->key.trial.n, message.error().message);
    }
  }
  return true;
}

void AttemptPool::resume_reading() {
  for (const auto& [number, running] : running_) read_link(running);
}

void AttemptPool::tell(const WorkKey& key, Action action) {
  for (const auto& [number, running] : running_) {
    // A worker that has ended meanwhile says so by itself.
    if (running->key == key && !send_packet(running->link.native_handle(), encode_action(action))) {
      log().debug("trial {} has ended before it could be told", key.trial.n);
    }
  }
}

void AttemptPool::end(const WorkKey& key) {
  for (const auto& [number, running] : running_) {
    if (running->key != key) continue;
    if (waits(running)) {
      // Nothing of it has begun. Later, not now: as in fail().
      ProcessEnd end;
      end.wait_status = SIGTERM;
      running->packet.clear();
      asio::post(loop_, [this, n = number, end] {
        if (const RunningPtr ended = take_running(n)) listener_.ended(ended->key, end);
      });
      return;
    }
    if (!running->server->loaded) {
      // Still loading, or hanging in it: nobody there reads. The next attempt gets a new server.
      ::kill(running->server->pid, SIGKILL);
      return;
    }
    const std::string packet = json_text({{"kill", number}, {"grace_ms", grace_.count()}});
    if (!send_packet(running->server->control.native_handle(), packet)) {
      log().debug("trial {} has ended before it could be ended", key.trial.n);
    }
  }
}

}  // namespace betatune
