#include "trainers/command/command_run.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <fstream>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trainers/attempt_folder.hpp"
#include "trainers/command/placeholders.hpp"
#include "trainers/failures.hpp"
#include "trainers/metrics.hpp"
#include "trainers/processes.hpp"

extern char** environ;

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr int kPollMs = 100;  // how often a metrics file is looked at
// Bounded, so that a command that never stops writing can still be told to stop.
constexpr int kReadsPerTurn = 4;
constexpr std::size_t kReadBytes = 16'384;

Status write_text(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return errno_error("write " + path.string());
  return Ok{};
}

/// Copies to the log; a log that cannot be written is no reason to stop reading.
void echo(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

}  // namespace

CommandRun::CommandRun(const WorkerJob& job, WorkerLink& link)
    : job_(job),
      assign_(job.assign),
      link_(link),
      checkpoints_(assign_.job.study_dir, assign_.trial, assign_.attempt),
      scratch_(scratch_folder(assign_)),
      last_step_(assign_.from) {}

Status CommandRun::prepare() {
  BETATUNE_CHECK(write_text(scratch_ / "params.json", json_text(to_json(assign_.params))));
  BETATUNE_CHECK(write_text(scratch_ / "config.json", json_text(assign_.job.config)));
  BETATUNE_TRY(checkpoint_dir_, checkpoints_.begin());
  if (assign_.resume_from) {
    BETATUNE_TRY(resume_dir_, checkpoint_path(assign_.job.study_dir, *assign_.resume_from));
  }
  return Ok{};
}

ChildSpec CommandRun::child_spec() const {
  Placeholders values;
  ChildSpec spec;
  for (char** each = environ; *each != nullptr; ++each) spec.environment.emplace_back(*each);
  const auto set = [&](const std::string& name, const std::string& value) {
    const std::string prefix = name + "=";
    std::erase_if(spec.environment,
                  [&](const std::string& each) { return each.rfind(prefix, 0) == 0; });
    spec.environment.push_back(prefix + value);
  };
  const auto offer = [&](const std::string& name, const std::string& variable,
                         const std::string& value) {
    values[name] = value;
    set(variable, value);
  };
  offer("params_file", "BETATUNE_PARAMS_FILE", scratch_ / "params.json");
  // In an argument, {config_file} is the configuration that is tried.
  values["config_file"] = values["params_file"];
  set("BETATUNE_CONFIG_FILE", scratch_ / "config.json");
  offer("metrics_file", "BETATUNE_METRICS_FILE", scratch_ / "metrics.jsonl");
  offer("scratch_dir", "BETATUNE_SCRATCH_DIR", scratch_);
  offer("study_dir", "BETATUNE_STUDY_DIR", assign_.job.study_dir);
  offer("checkpoint_dir", "BETATUNE_CHECKPOINT_DIR", checkpoint_dir_);
  offer("trial", "BETATUNE_TRIAL", std::to_string(assign_.trial.n));
  offer("attempt", "BETATUNE_ATTEMPT", std::to_string(assign_.attempt.n));
  offer("from", "BETATUNE_FROM", std::to_string(assign_.from));
  offer("until", "BETATUNE_UNTIL", std::to_string(assign_.until));
  offer("seed", "BETATUNE_SEED", std::to_string(assign_.seed));
  offer("cpus", "BETATUNE_CPUS", std::to_string(assign_.job.cpus));
  offer("objective", "BETATUNE_OBJECTIVE", assign_.job.objective);
  if (!resume_dir_.empty()) offer("resume_dir", "BETATUNE_RESUME_DIR", resume_dir_);
  set("BETATUNE_CONFIG", json_text(assign_.job.config));
  // A parameter that has the name of one of ours wins: it is the user's word.
  for (const auto& [name, value] : assign_.params)
    offer(name, parameter_variable(name), to_text(value));
  spec.argv = fill_placeholders(assign_.job.command, values);
  return spec;
}

void CommandRun::run() {
  if (const Status prepared = prepare(); !prepared) {
    checkpoints_.abandon();
    link_.send(
        failed_end(assign_.from, class_of_unreadable(prepared.error()), prepared.error().message));
    return;
  }
  become_subreaper();
  auto child = start_child(child_spec());
  if (!child) {
    checkpoints_.abandon();
    link_.send(failed_end(assign_.from, FailureClass::user, "command: " + child.error().message));
    return;
  }
  child_ = std::move(child).value();
  child_running_ = true;
  supervise();
  end_all_descendants();
  last_lines();
  finish();
}

void CommandRun::supervise() {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signal : {SIGCHLD, SIGTERM}) sigaddset(&mask, signal);
  ::sigprocmask(SIG_BLOCK, &mask, nullptr);
  const UniqueFd signals(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  // It may have ended before the mask was set.
  read_signals(signals.get());
  while (child_running_) wait_for_something(signals.get());
}

void CommandRun::wait_for_something(int signals) {
  std::array<pollfd, 3> fds{
      {{signals, POLLIN, 0}, {link_.fd(), POLLIN, 0}, {child_.output.get(), POLLIN, 0}}};
  ::poll(fds.data(), fds.size(), file_has_more_ ? 0 : kPollMs);
  if (fds[2].revents != 0) read_output();
  file_has_more_ = read_metrics_file();
  read_signals(signals);
  end_child_if_told();
}

void CommandRun::read_signals(int signals) {
  signalfd_siginfo info{};
  while (::read(signals, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGTERM) terminated_ = true;
  }
  // Several SIGCHLD may have become one; strays that were handed to this process end up here too.
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != child_.pid) continue;
    child_running_ = false;
    child_status_ = status;
  }
}

bool CommandRun::read_output() {
  std::array<char, kReadBytes> bytes{};
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t got = ::read(child_.output.get(), bytes.data(), bytes.size());
    if (got < 0) return false;
    if (got == 0) {
      child_.output.reset();
      return false;
    }
    const std::string_view text(bytes.data(), static_cast<std::size_t>(got));
    echo(text);
    for (const std::string& line : stdout_lines_.feed(text)) take_line(line);
  }
  return true;
}

bool CommandRun::read_metrics_file() {
  std::ifstream file(scratch_ / "metrics.jsonl", std::ios::binary);
  if (!file) return false;
  file.seekg(static_cast<std::streamoff>(file_offset_));
  std::array<char, kReadBytes> bytes{};
  for (int i = 0; i < kReadsPerTurn; ++i) {
    file.read(bytes.data(), bytes.size());
    const auto got = static_cast<std::size_t>(file.gcount());
    if (got == 0) return false;
    file_offset_ += got;
    for (const std::string& line : file_lines_.feed({bytes.data(), got})) take_line(line);
  }
  return true;
}

void CommandRun::take_line(const std::string& line) {
  OutputLine read = read_output_line(line, assign_.job.objective);
  if (read.kind == OutputLine::Kind::report) {
    take_report(read);
  } else if (read.kind != OutputLine::Kind::log && failure_.kind == OutputLine::Kind::log) {
    failure_ = std::move(read);
  }
}

void CommandRun::take_report(const OutputLine& line) {
  anything_seen_ = true;
  const auto objective = line.metrics.find(assign_.job.objective);
  if (objective != line.metrics.end()) {
    objective_seen_ = true;
    diverged_ = diverged_ || !std::isfinite(objective->second);
  }
  // Without steps of its own, the reports are steps from+1, from+2 ...; in a study without a
  // fidelity (one step) each is a report of that step, and the last one counts.
  const Step step = line.step.value_or(std::min(last_step_ + 1, assign_.until));
  if (!line.step) unnumbered_ = line.metrics;
  last_step_ = std::max(last_step_, step);
  link_.send(WorkerReport{step, line.metrics, std::nullopt});
}

void CommandRun::signal_child(int signal) {
  if (child_running_) ::kill(-child_.pid, signal);
}

void CommandRun::end_child_if_told() {
  const Action decision = link_.decision();
  const bool give_up = terminated_ || diverged_ || failure_.kind == OutputLine::Kind::bad;
  const std::int64_t now_ms = monotonic_ms().count();
  if (kill_at_ms_ == 0 && (decision != Action::go_on || give_up)) {
    told_ = decision;
    kill_at_ms_ = now_ms + job_.grace_ms;
    signal_child(SIGTERM);
    signal_child(SIGCONT);
  }
  if (kill_at_ms_ != 0 && now_ms >= kill_at_ms_) signal_child(SIGKILL);
}

void CommandRun::last_lines() {
  while (child_.output && read_output()) {
  }
  while (read_metrics_file()) {
  }
  for (LineReader* reader : {&stdout_lines_, &file_lines_}) {
    if (const auto line = reader->rest()) take_line(*line);
  }
}

Status CommandRun::publish(Step step) {
  std::error_code error;
  if (step <= assign_.from || fs::is_empty(checkpoint_dir_, error) || error) {
    checkpoints_.abandon();
    return Ok{};
  }
  BETATUNE_TRY(auto artifact, checkpoints_.publish(step));
  link_.send(WorkerReport{step, {}, std::move(artifact)});
  return Ok{};
}

void CommandRun::finish() {
  const std::string& objective = assign_.job.objective;
  const bool succeeded = WIFEXITED(child_status_) && WEXITSTATUS(child_status_) == 0;
  WorkerEnd end{AttemptEnd::reached, assign_.until, std::nullopt, ""};
  if (failure_.kind == OutputLine::Kind::bad) {
    end = failed_end(last_step_, FailureClass::user, "the command's output: " + failure_.message);
  } else if (failure_.kind == OutputLine::Kind::failure) {
    end = failed_end(last_step_, failure_.failure, failure_.message);
  } else if (diverged_) {
    end =
        failed_end(last_step_, FailureClass::diverged, "metric `" + objective + "` is not finite");
  } else if (told_ != Action::go_on && !(succeeded && last_step_ >= assign_.until)) {
    end = {told_ == Action::pause ? AttemptEnd::paused : AttemptEnd::stopped, last_step_,
           std::nullopt, ""};
  } else if (!succeeded) {
    return end_like_child();
  } else if (!anything_seen_ || (!objective.empty() && !objective_seen_)) {
    end = failed_end(last_step_, FailureClass::user,
                     "the command ended with exit status 0 but never reported `" + objective +
                         "`; print a line like {\"" + objective + "\": 0.31}");
  } else if (unnumbered_ && last_step_ < assign_.until) {
    link_.send(WorkerReport{assign_.until, *unnumbered_, std::nullopt});
  }
  if (end.end == AttemptEnd::failed || end.end == AttemptEnd::stopped) {
    checkpoints_.abandon();
  } else if (const Status published = publish(end.step); !published) {
    checkpoints_.abandon();
    end = failed_end(end.step, FailureClass::infra, published.error().message);
  }
  link_.send(end);
}

void CommandRun::end_like_child() {
  checkpoints_.abandon();
  remove_scratch(assign_);
  if (WIFSIGNALED(child_status_)) {
    const int signal = WTERMSIG(child_status_);
    // The command left its own core file, if any; this process has nothing to add to it.
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    reset_signals();
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  }
  ::_exit(WIFEXITED(child_status_) ? WEXITSTATUS(child_status_) : 1);
}

}  // namespace betatune
