/// The `local` launcher: trainer processes on this machine, restarted when they die, none left
/// behind.

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "optimizer/launcher.hpp"
#include "optimizer/launchers/gpus.hpp"
#include "optimizer/launchers/restart_delay.hpp"
#include "optimizer/launchers/trainer_program.hpp"
#include "searchspaces/log.hpp"

extern char** environ;

namespace betatune {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// Everything that a child needs, made before the fork: after it only async-signal-safe calls are
/// allowed, since other threads (ZeroMQ's) may hold locks.
struct Program {
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string log_file;

  static std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> out;
    for (std::string& each : strings) out.push_back(each.data());
    out.push_back(nullptr);
    return out;
  }
};

[[noreturn]] void become(char* const* argv, char* const* envp, int log_fd, pid_t parent) {
  // A group of its own, so that Ctrl-C at the terminal reaches the optimizer alone, which drains.
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the optimizer died before the line above
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2}) {
    signal(number, SIG_DFL);
  }
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  dup2(log_fd, STDOUT_FILENO);
  dup2(log_fd, STDERR_FILENO);
  execve(argv[0], argv, envp);
  _exit(127);
}

Result<pid_t> start_process(Program program) {
  const int log_fd =
      open(program.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_fd < 0) {
    return Error{ErrorKind::unavailable,
                 fmt::format("cannot write {}: {}", program.log_file, std::strerror(errno))};
  }
  const auto argv = Program::pointers(program.arguments);
  const auto envp = Program::pointers(program.environment);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) become(argv.data(), envp.data(), log_fd, parent);
  const int reason = errno;
  close(log_fd);
  if (child < 0) {
    return Error{ErrorKind::unavailable,
                 fmt::format("cannot start a trainer process: {}", std::strerror(reason))};
  }
  return child;
}

std::string describe_exit(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was killed by {}", strsignal(WTERMSIG(status)));
  return fmt::format("exited with status {}", WEXITSTATUS(status));
}

class LocalLauncher final : public Launcher {
 public:
  /// `slots` of each trainer; `cpus` are threads of a trial, or of a rank where widths change.
  LocalLauncher(int trainers, int slots, int cpus, int gpus_each)
      : trainers_(trainers),
        slots_(slots),
        cpus_(cpus),
        gpus_each_(std::max(1, gpus_each)),
        gpus_(visible_gpus(std::getenv("CUDA_VISIBLE_DEVICES"), "/proc/driver/nvidia/gpus")) {}
  LocalLauncher(const LocalLauncher&) = delete;
  LocalLauncher& operator=(const LocalLauncher&) = delete;
  ~LocalLauncher() override { stop(0ms); }

  Status start(const LaunchSpec& spec) override {
    spec_ = spec;
    BETATUNE_TRY(program_, find_trainer_program());
    std::error_code failed;
    fs::create_directories(spec_.log_directory, failed);
    if (failed) {
      return Error{
          ErrorKind::unavailable,
          fmt::format("cannot create {}: {}", spec_.log_directory.string(), failed.message())};
    }
    for (int i = 0; i < trainers_; ++i) {
      processes_.push_back(Process{});
      BETATUNE_CHECK(launch(i));
    }
    return Ok{};
  }

  int count() const override { return trainers_; }

  std::vector<LaunchedTrainer> poll() override {
    std::vector<LaunchedTrainer> list;
    for (int i = 0; i < static_cast<int>(processes_.size()); ++i) {
      Process& process = processes_[static_cast<std::size_t>(i)];
      reap(process);
      if (process.pid == 0 && Clock::now() >= process.restart_at) {
        if (const Status status = launch(i); !status) process.detail = status.error().message;
      }
      list.push_back({name_of(i), process.pid != 0, process.detail});
    }
    return list;
  }

  void stop(std::chrono::milliseconds grace) override {
    for (const Process& process : processes_) {
      if (process.pid != 0) kill(process.pid, SIGTERM);
    }
    const auto deadline = Clock::now() + grace;
    while (any_alive() && Clock::now() < deadline) std::this_thread::sleep_for(10ms);
    for (Process& process : processes_) {
      if (process.pid == 0) continue;
      kill(-process.pid, SIGKILL);
      waitpid(process.pid, nullptr, 0);
      process.pid = 0;
    }
    processes_.clear();
  }

 private:
  struct Process {
    pid_t pid = 0;  ///< 0: not alive
    Clock::time_point started_at, restart_at;
    RestartDelay delay;
    std::string detail;
  };

  static std::string name_of(int index) { return kLaunchedPrefix + std::to_string(index); }

  std::string log_of(int index) const {
    return (spec_.log_directory / (name_of(index) + ".log")).string();
  }

  Status launch(int index) {
    Process& process = processes_[static_cast<std::size_t>(index)];
    Program program{{program_, "--connect", spec_.endpoint, "--name", name_of(index), "--slots",
                     std::to_string(slots_)},
                    environment_of(index),
                    log_of(index)};
    if (!spec_.token_file.empty()) {
      program.arguments.insert(program.arguments.end(),
                               {"--token-file", spec_.token_file.string()});
    }
    if (!spec_.key_file.empty()) {
      program.arguments.insert(program.arguments.end(), {"--key", spec_.key_file.string()});
    }
    process.started_at = Clock::now();
    BETATUNE_TRY(process.pid, start_process(std::move(program)));
    process.detail = fmt::format("pid {}", process.pid);
    log().info("started trainer {} ({})", name_of(index), process.detail);
    return Ok{};
  }

  std::vector<std::string> environment_of(int index) const {
    const std::string threads = std::to_string(cpus_);
    std::vector<std::pair<std::string, std::string>> ours = {
        {"OMP_NUM_THREADS", threads},
        {"OPENBLAS_NUM_THREADS", threads},
        {"MKL_NUM_THREADS", threads},
        // Threads that spin while they wait take the core from the trial beside them: measured
        // ten times slower where trials share a machine.
        {"OMP_WAIT_POLICY", "passive"}};
    if (!gpus_.empty()) {
      ours.emplace_back("CUDA_VISIBLE_DEVICES", gpu_slice(gpus_, index, gpus_each_));
    }
    std::vector<std::string> all;
    for (char** each = environ; *each != nullptr; ++each) {
      const std::string entry = *each;
      const std::string name = entry.substr(0, entry.find('='));
      const bool replaced =
          std::any_of(ours.begin(), ours.end(), [&](const auto& own) { return own.first == name; });
      if (!replaced) all.push_back(entry);
    }
    for (const auto& [name, value] : ours) all.push_back(name + "=" + value);
    return all;
  }

  void reap(Process& process) {
    int status = 0;
    if (process.pid == 0 || waitpid(process.pid, &status, WNOHANG) != process.pid) return;
    // What the trainer started in its group must not outlive it.
    kill(-process.pid, SIGKILL);
    process.detail = describe_exit(status);
    process.pid = 0;
    const auto now = Clock::now();
    const auto lifetime =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - process.started_at);
    process.restart_at = now + process.delay.after(lifetime);
    log().warn("a trainer {}; it is started again", process.detail);
  }

  bool any_alive() {
    bool alive = false;
    for (Process& process : processes_) {
      int status = 0;
      if (process.pid != 0 && waitpid(process.pid, &status, WNOHANG) == process.pid) {
        kill(-process.pid, SIGKILL);
        process.pid = 0;
      }
      alive = alive || process.pid != 0;
    }
    return alive;
  }

  int trainers_, slots_, cpus_, gpus_each_;
  std::vector<std::string> gpus_;
  LaunchSpec spec_;
  std::string program_;
  std::vector<Process> processes_;
};

int default_trainers(const StudySpec& spec, std::size_t gpus) {
  if (spec.resources.gpus > 0) return static_cast<int>(gpus) / spec.resources.gpus;
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return std::max(1, cores / std::max(1, spec.resources.cpus));
}

/// Where widths change, a slot is a rank: the machine has so many of them, shared out to its
/// trainers (one, unless the study asks for more), each a pool in which wide trials find room.
std::unique_ptr<Launcher> make_pools(const StudySpec& spec, std::size_t gpus,
                                     const ConfigNode& node, Diagnostics& diagnostics) {
  const ResourcesSpec& resources = spec.resources;
  const int cpus = std::max(1, resources.cpus / resources.world());
  const bool on_gpus = resources.gpus > 0;
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  // Cores may be shared, GPUs are not.
  const int narrowest = resources.widths->narrowest();
  const int ranks = on_gpus ? static_cast<int>(gpus) : std::max(cores / cpus, narrowest);
  const int trainers = spec.launcher.trainers.value_or(1);
  const int slots = ranks / trainers;
  if (slots < narrowest) {
    diagnostics.error("E0401",
                      fmt::format("{} trainers of at least {} ranks need more than the {} {} that "
                                  "this machine has",
                                  trainers, narrowest, ranks, on_gpus ? "GPUs" : "ranks"),
                      node.mark(), "set launcher.trainers to 1, or a smaller choice of ranks");
    return nullptr;
  }
  if (slots < resources.widths->widest()) {
    log().warn(
        "a trainer of this machine has {} slots: no trial gets the {} ranks of the widest "
        "choice here",
        slots, resources.widths->widest());
  }
  return std::make_unique<LocalLauncher>(trainers, slots, cpus, on_gpus ? slots : 0);
}

/// `local` has no options besides `trainers`, which every launcher has.
std::unique_ptr<Launcher> make_local(const LauncherContext& context, const NoOptions&,
                                     const ConfigNode& node, Diagnostics& diagnostics) {
  const StudySpec& spec = context.spec;
  const std::size_t gpus =
      visible_gpus(std::getenv("CUDA_VISIBLE_DEVICES"), "/proc/driver/nvidia/gpus").size();
  if (spec.resources.widths) return make_pools(spec, gpus, node, diagnostics);
  if (spec.resources.gpus > static_cast<int>(gpus)) {
    diagnostics.error(
        "E0401",
        fmt::format("resources.gpus asks for {} of the {} GPUs that this machine shows",
                    spec.resources.gpus, gpus),
        node.mark(), "run it where the GPUs are, or set `gpus: 0`");
    return nullptr;
  }
  const int trainers = spec.launcher.trainers.value_or(default_trainers(spec, gpus));
  return std::make_unique<LocalLauncher>(trainers, 1, spec.resources.cpus, spec.resources.gpus);
}

const bool registered =
    LauncherRegistry::add<NoOptions>("local", "Trainer processes on this machine.", make_local);

}  // namespace
}  // namespace betatune
