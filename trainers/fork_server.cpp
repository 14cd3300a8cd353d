#include "trainers/fork_server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "trainers/attempt_folder.hpp"
#include "trainers/failures.hpp"
#include "trainers/metrics.hpp"
#include "trainers/plugin_host.hpp"
#include "trainers/processes.hpp"
#include "trainers/worker.hpp"

namespace betatune {
namespace {

constexpr std::int64_t kSweepMs = 300;  // strays are looked for at most this often

UniqueFd child_signals() {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &mask, nullptr);
  return UniqueFd(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

ForkServer::ForkServer(UniqueFd control, std::string plugin_path)
    : control_(std::move(control)), plugin_path_(std::move(plugin_path)), self_(::getpid()) {}

void ForkServer::say(const Json& json) {
  const std::string text = json_text(json);
  if (!send_packet(control_.get(), text)) end_everything();
}

bool ForkServer::load() {
  if (plugin_path_.empty()) {
    say({{"loaded", "command"}});
    return true;
  }
  const auto plugin = load_plugin(plugin_path_);
  if (!plugin) {
    say({{"failed", clean_text(plugin.error().message, 2'048)}});
    return false;
  }
  plugin_ = plugin.value();
  forkable_ = thread_count() == 1;
  say({{"loaded", std::string(plugin_->name) + " " + plugin_->version}});
  return true;
}

int ForkServer::run() {
  become_subreaper();
  // A plug-in's loading may hang, deaf to the end of the agent; afterwards the end of the control
  // socket says it, and leaves time to end the workers.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // Before loading: a thread that the plug-in starts must not take SIGCHLD from this one.
  signals_ = child_signals();
  if (!load()) return 1;
  ::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
  for (;;) wait_for_something();
}

int ForkServer::poll_timeout_ms() const {
  std::int64_t next_ms = sweep_at_ms_;
  for (const auto& [key, worker] : workers_) {
    if (worker.kill_at_ms != 0 && (next_ms == 0 || worker.kill_at_ms < next_ms)) {
      next_ms = worker.kill_at_ms;
    }
  }
  if (next_ms == 0) return -1;
  return static_cast<int>(std::clamp<std::int64_t>(next_ms - monotonic_ms().count(), 0, 60'000));
}

void ForkServer::wait_for_something() {
  std::vector<pollfd> fds{{control_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
  std::vector<std::uint64_t> keys;
  for (const auto& [key, worker] : workers_) {
    fds.push_back({worker.output.get(), POLLIN, 0});
    keys.push_back(key);
  }
  ::poll(fds.data(), fds.size(), poll_timeout_ms());
  constexpr int kReadsPerTurn = 8;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (fds[i + 2].revents != 0) read_log(workers_.at(keys[i]), kReadsPerTurn);
  }
  if (fds[1].revents != 0) reap();
  if (fds[0].revents != 0 && !read_control()) end_everything();
  end_overdue();
  if (sweep_at_ms_ != 0 && monotonic_ms().count() >= sweep_at_ms_) sweep();
}

bool ForkServer::read_control() {
  for (;;) {
    Packet packet = receive_packet(control_.get(), false);
    if (packet.state == Packet::State::closed) return false;
    if (packet.state == Packet::State::none_now) return true;
    const Json json = Json::parse(packet.bytes, nullptr, false);
    if (json.contains("spawn")) spawn(json.at("spawn"), json.at("job"), std::move(packet.passed));
    if (json.contains("kill")) ask_to_end(json.at("kill"), json.at("grace_ms"));
  }
}

void ForkServer::spawn(std::uint64_t key, const Json& json, UniqueFd link) {
  const auto refuse = [&](const std::string& why) {
    WorkerLink(link.get()).send(failed_end(0, FailureClass::infra, why));
    say({{"exited", key}, {"status", 0}, {"oom", false}, {"output", ""}});
  };
  const auto job = decode_json<WorkerJob>(json, "job");
  if (!job) return refuse(job.error().message);
  auto output = pipe_pair();
  if (!output) return refuse(output.error().message);

  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) become_worker(job.value(), std::move(link), std::move(output.value().second));
  if (pid < 0) return refuse(errno_error("start a worker process").message);
  ::setpgid(pid, pid);  // also here: the group must exist before it may be asked to end
  if (!set_nonblocking(output.value().first.get())) output.value().first.reset();
  workers_.emplace(
      key, Worker{pid, std::move(output.value().first), BoundedLog(attempt_log(job.value().assign)),
                  job.value().assign, 0, recent_oom_kills()});
}

std::uint64_t ForkServer::recent_oom_kills() {
  constexpr std::int64_t kFreshMs = 1'000;  // reading the counters is dearer than a fork may be
  const std::int64_t now_ms = monotonic_ms().count();
  if (oom_read_at_ms_ == 0 || now_ms - oom_read_at_ms_ > kFreshMs) {
    oom_kills_ = oom_kill_count();
    oom_read_at_ms_ = now_ms;
  }
  return oom_kills_;
}

void ForkServer::become_worker(const WorkerJob& job, UniqueFd link, UniqueFd output) {
  ::setpgid(0, 0);
  die_with_parent(self_, SIGKILL);
  reset_signals();
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ::dup2(nothing.get(), STDIN_FILENO);
  ::dup2(output.get(), STDOUT_FILENO);
  ::dup2(output.get(), STDERR_FILENO);
  // Nothing of the server or of other attempts stays open here.
  control_.reset();
  signals_.reset();
  output.reset();
  workers_.clear();
  if (!forkable_) exec_worker(job, std::move(link));
  WorkerLink line(link.get());
  run_worker(job, line, plugin_);
  std::fflush(nullptr);
  // No static destructors: libraries of this size do not all survive them, and the work is done.
  ::_exit(0);
}

void ForkServer::ask_to_end(std::uint64_t key, std::int64_t grace_ms) {
  const auto worker = workers_.find(key);
  if (worker == workers_.end()) return;
  ::kill(-worker->second.pid, SIGTERM);
  ::kill(-worker->second.pid, SIGCONT);
  worker->second.kill_at_ms = std::max<std::int64_t>(1, monotonic_ms().count() + grace_ms);
}

void ForkServer::end_overdue() {
  const std::int64_t now_ms = monotonic_ms().count();
  for (auto& [key, worker] : workers_) {
    if (worker.kill_at_ms == 0 || now_ms < worker.kill_at_ms) continue;
    ::kill(-worker.pid, SIGKILL);
    worker.kill_at_ms = now_ms + 1'000;
  }
}

void ForkServer::reap() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
  }
  for (;;) {
    siginfo_t ended{};
    // Looked at first and reaped after its group is ended: until then the number cannot be reused.
    if (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0 || ended.si_pid == 0) return;
    const auto worker = std::find_if(workers_.begin(), workers_.end(), [&](const auto& each) {
      return each.second.pid == ended.si_pid;
    });
    if (worker != workers_.end()) ::kill(-ended.si_pid, SIGKILL);
    int status = 0;
    ::waitpid(ended.si_pid, &status, 0);
    helpers_.erase(ended.si_pid);
    if (worker != workers_.end()) exited(worker, status);
  }
}

void ForkServer::exited(std::map<std::uint64_t, Worker>::iterator at, int status) {
  constexpr int kReadsAtEnd = 1'024;
  Worker worker = std::move(at->second);
  const std::uint64_t key = at->first;
  workers_.erase(at);
  read_log(worker, kReadsAtEnd);
  worker.log.finish();
  const bool killed = ending_signal(status) == SIGKILL;
  const bool oom = killed && oom_kill_count() > worker.oom_kills_before;
  say({{"exited", key},
       {"status", status},
       {"oom", oom},
       {"output", clean_text(worker.log.tail(), 8'192)}});
  clean_up(worker.assign);
  if (sweep_at_ms_ == 0) sweep_at_ms_ = monotonic_ms().count() + kSweepMs;
}

void ForkServer::read_log(Worker& worker, int reads_max) {
  std::array<char, 16'384> bytes{};
  for (int i = 0; i < reads_max && worker.output; ++i) {
    const ssize_t got = ::read(worker.output.get(), bytes.data(), bytes.size());
    if (got < 0) return;
    if (got == 0) worker.output.reset();
    worker.log.append({bytes.data(), static_cast<std::size_t>(got)});
  }
}

void ForkServer::clean_up(const Assign& assign) {
  if (remove_empty_scratch(assign)) return;
  // Large folders take their time; the server has none.
  const pid_t pid = ::fork();
  if (pid == 0) {
    remove_scratch(assign);
    ::_exit(0);
  }
  if (pid > 0) helpers_.insert(pid);
}

void ForkServer::sweep() {
  std::set<pid_t> known = helpers_;
  for (const auto& [key, worker] : workers_) known.insert(worker.pid);
  sweep_at_ms_ = 0;
  // Each round hands over the children of those it ended.
  if (end_strays(known) > 0) sweep_at_ms_ = monotonic_ms().count() + kSweepMs;
}

void ForkServer::end_everything() {
  for (const auto& [key, worker] : workers_) ::kill(-worker.pid, SIGKILL);
  end_all_descendants();
  ::_exit(0);
}

}  // namespace betatune
