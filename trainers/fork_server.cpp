#include "trainers/fork_server.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "trainers/attempt_folder.hpp"
#include "trainers/failures.hpp"
#include "trainers/job_signals.hpp"
#include "trainers/metrics.hpp"
#include "trainers/plugin_host.hpp"
#include "trainers/processes.hpp"
#include "trainers/worker.hpp"

namespace betatune {
namespace {

constexpr std::int64_t kSweepMs = 300;      // strays are looked for at most this often
constexpr std::int64_t kStoppedMs = 1'000;  // stopped ranks of gangs are looked for this often

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
  std::int64_t next_ms = 0;
  const auto by = [&next_ms](std::int64_t at_ms) {
    if (at_ms != 0 && (next_ms == 0 || at_ms < next_ms)) next_ms = at_ms;
  };
  by(sweep_at_ms_);
  by(stopped_at_ms_);
  for (const auto& [key, worker] : workers_) by(worker.kill_at_ms);
  if (next_ms == 0) return -1;
  return static_cast<int>(std::clamp<std::int64_t>(next_ms - monotonic_ms().count(), 0, 60'000));
}

void ForkServer::wait_for_something() {
  std::vector<pollfd> fds{{control_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
  std::vector<RankProcess*> outputs;
  for (auto& [key, worker] : workers_) {
    for (RankProcess& rank : worker.ranks) {
      fds.push_back({rank.output.get(), POLLIN, 0});
      outputs.push_back(&rank);
    }
  }
  for (const auto& [key, worker] : workers_) fds.push_back({worker.groups_line.get(), POLLIN, 0});
  ::poll(fds.data(), fds.size(), poll_timeout_ms());
  constexpr int kReadsPerTurn = 8;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (fds[i + 2].revents != 0) outputs[i]->read_output(kReadsPerTurn);
  }
  // Which ranks end together is known before one is seen to have ended, and why it has before
  // rank 0 gives up its group.
  for (auto& [key, worker] : workers_) worker.hear_of_groups();
  if (fds[1].revents != 0) reap();
  for (auto& [key, worker] : workers_) worker.end_asked_groups();
  if (fds[0].revents != 0 && !read_control()) end_everything();
  end_overdue();
  end_stopped();
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
    say({{"exited", key},
         {"status", 0},
         {"oom", false},
         {"output", ""},
         {"rank", 0},
         {"note", ""}});
  };
  const auto job = decode_json<WorkerJob>(json, "job");
  if (!job) return refuse(job.error().message);
  // The ranks of a command are below one worker process.
  const int ranks = plugin_ != nullptr ? std::max(1, job.value().assign.job.ranks) : 1;
  auto sockets = gang_sockets(ranks);
  if (!sockets) return refuse(sockets.error().message);

  AttemptProcesses worker;
  worker.groups_line = std::move(sockets.value().groups_line.first);
  worker.assign = job.value().assign;
  worker.oom_kills_before = recent_oom_kills();
  Status started = Ok{};
  while (started && worker.ranks.size() < static_cast<std::size_t>(ranks)) {
    started = start_rank(worker, job.value(), sockets.value(), link);
  }
  if (!started && worker.ranks.empty()) return refuse(started.error().message);
  if (!started) {
    WorkerLink(link.get()).send(failed_end(0, FailureClass::infra, started.error().message));
    worker.signal_all(SIGKILL);
  }
  if (worker.is_gang()) stopped_at_ms_ = monotonic_ms().count() + kStoppedMs;
  workers_.emplace(key, std::move(worker));
}

Status ForkServer::start_rank(AttemptProcesses& worker, const WorkerJob& job, GangSockets& sockets,
                              UniqueFd& link) {
  BETATUNE_TRY(auto output, pipe_pair());
  const int rank = static_cast<int>(worker.ranks.size());
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  const pid_t group = rank == 0 ? pid : worker.ranks.front().pid;
  if (pid == 0) {
    // Nothing of the ranks before stays open here.
    worker.ranks.clear();
    worker.groups_line.reset();
    become_worker(job_of_rank(job, rank, sockets), group, std::move(link),
                  std::move(output.second));
  }
  if (pid < 0) return errno_error("start a worker process");
  ::setpgid(pid, group);  // also here: the group must exist before it may be asked to end
  if (!set_nonblocking(output.first.get())) output.first.reset();
  worker.ranks.push_back(
      {pid, std::move(output.first), BoundedLog(attempt_log(job.assign, rank)), true, 0});
  return Ok{};
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

void ForkServer::become_worker(const WorkerJob& job, pid_t group, UniqueFd link, UniqueFd output) {
  ::setpgid(0, group);
  die_with_parent(self_, SIGKILL);
  reset_signals();
  heed_only(self_);
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
  worker->second.signal_all(SIGTERM);
  worker->second.signal_all(SIGCONT);
  worker->second.kill_at_ms = std::max<std::int64_t>(1, monotonic_ms().count() + grace_ms);
}

void ForkServer::end_overdue() {
  const std::int64_t now_ms = monotonic_ms().count();
  for (auto& [key, worker] : workers_) {
    if (worker.kill_at_ms == 0 || now_ms < worker.kill_at_ms) continue;
    worker.signal_all(SIGKILL);
    worker.kill_at_ms = now_ms + 1'000;
  }
}

void ForkServer::end_stopped() {
  const std::int64_t now_ms = monotonic_ms().count();
  if (stopped_at_ms_ == 0 || now_ms < stopped_at_ms_) return;
  stopped_at_ms_ = 0;
  for (auto& [key, worker] : workers_) {
    if (!worker.is_gang()) continue;
    worker.end_if_stopped(now_ms);
    stopped_at_ms_ = now_ms + kStoppedMs;
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
    auto worker = workers_.begin();
    std::optional<std::size_t> rank;
    for (; worker != workers_.end(); ++worker) {
      rank = worker->second.rank_of(ended.si_pid);
      if (rank) break;
    }
    // The ranks of an attempt, or of a group, end together: whichever ends first, for whatever
    // reason. One that has said why the attempt failed ends all.
    const bool said_why = ended.si_code == CLD_EXITED && ended.si_status == kExitRankFailed;
    const bool alone = rank && !said_why && worker->second.ends_alone(*rank);
    if (alone) {
      worker->second.kill_group(worker->second.group_of[*rank]);
    } else if (rank) {
      worker->second.signal_all(SIGKILL);
    }
    int status = 0;
    ::waitpid(ended.si_pid, &status, 0);
    helpers_.erase(ended.si_pid);
    if (rank) rank_ended(worker, *rank, status, alone);
  }
}

void ForkServer::rank_ended(Workers::iterator at, std::size_t rank, int status, bool alone) {
  constexpr int kReadsAtEnd = 1'024;
  AttemptProcesses& worker = at->second;
  if (!alone && !worker.first) worker.first = {rank, status};
  RankProcess& process = worker.ranks[rank];
  process.alive = false;
  process.read_output(kReadsAtEnd);
  process.log.finish();
  if (alone) {
    const bool oom = ending_signal(status) == SIGKILL && oom_kill_count() > worker.oom_kills_before;
    const ProcessEnd end{status, oom, "", static_cast<int>(rank), ""};
    worker.note_group_end(worker.group_of[rank], failure_of(end, "the trainer").message);
    sweep_soon();
  }
  if (!worker.alive()) exited(at);
}

void ForkServer::exited(Workers::iterator at) {
  const AttemptProcesses worker = std::move(at->second);
  const std::uint64_t key = at->first;
  workers_.erase(at);
  const auto [rank, status] = *worker.first;
  const bool killed = ending_signal(status) == SIGKILL;
  const bool oom = killed && oom_kill_count() > worker.oom_kills_before;
  say({{"exited", key},
       {"status", status},
       {"oom", oom},
       {"output", clean_text(worker.ranks[rank].log.tail(), 8'192)},
       {"rank", rank},
       {"note", worker.note}});
  clean_up(worker.assign);
  sweep_soon();
}

void ForkServer::sweep_soon() {
  if (sweep_at_ms_ == 0) sweep_at_ms_ = monotonic_ms().count() + kSweepMs;
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
  for (const auto& [key, worker] : workers_) {
    for (const RankProcess& rank : worker.ranks) known.insert(rank.pid);
  }
  sweep_at_ms_ = 0;
  // Each round hands over the children of those it ended.
  if (end_strays(known) > 0) sweep_at_ms_ = monotonic_ms().count() + kSweepMs;
}

void ForkServer::end_everything() {
  for (const auto& [key, worker] : workers_) worker.signal_all(SIGKILL);
  end_all_descendants();
  ::_exit(0);
}

}  // namespace betatune
