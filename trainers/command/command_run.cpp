#include "trainers/command/command_run.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <fstream>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trainers/attempt_folder.hpp"
#include "trainers/failures.hpp"
#include "trainers/metrics.hpp"
#include "trainers/processes.hpp"
#include "trainers/rank_process.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kWordMs = 3'000;  // from a SIGTERM of others until the trainer has its own
constexpr int kPollMs = 100;             // how often a metrics file is looked at
constexpr std::int64_t kStoppedMs = 1'000;  // how often ranks that a signal has stopped are

Status write_text(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) return errno_error("write " + path.string());
  return Ok{};
}

}  // namespace

CommandRun::CommandRun(const WorkerJob& job, WorkerLink& link)
    : job_(job),
      assign_(job.assign),
      link_(link),
      checkpoints_(assign_.job.study_dir, assign_.trial, assign_.attempt),
      last_step_(assign_.from) {
  const fs::path scratch = scratch_folder(assign_);
  place_.params_file = scratch / "params.json";
  place_.config_file = scratch / "config.json";
}

Status CommandRun::prepare() {
  BETATUNE_CHECK(write_text(place_.params_file, json_text(to_json(assign_.params))));
  BETATUNE_CHECK(write_text(place_.config_file, json_text(assign_.job.config)));
  BETATUNE_TRY(place_.checkpoint_dir, checkpoints_.begin());
  if (assign_.resume_from) {
    BETATUNE_TRY(place_.resume_dir, checkpoint_path(assign_.job.study_dir, *assign_.resume_from));
  }
  if (!assign_.job.per_rank) return Ok{};
  BETATUNE_TRY(port_, ReservedPort::reserve());
  place_.port = port_.number();
  oom_kills_before_ = oom_kill_count();
  return Ok{};
}

Status CommandRun::start_ranks() {
  const int ranks = assign_.job.per_rank ? std::max(1, assign_.job.ranks) : 1;
  failures_.resize(static_cast<std::size_t>(ranks));
  ranks_.reserve(static_cast<std::size_t>(ranks));  // what reads a rank's lines refers to it
  for (int rank = 0; rank < ranks; ++rank) {
    BETATUNE_CHECK(ranks_.emplace_back(assign_, rank).start(child_spec(assign_, place_, rank)));
  }
  return Ok{};
}

void CommandRun::run() {
  if (const Status prepared = prepare(); !prepared) {
    checkpoints_.abandon();
    link_.send(
        failed_end(assign_.from, class_of_unreadable(prepared.error()), prepared.error().message));
    return;
  }
  become_subreaper();
  if (const Status started = start_ranks(); !started) {
    end_all_descendants();
    checkpoints_.abandon();
    link_.send(failed_end(assign_.from, FailureClass::user, "command: " + started.error().message));
    return;
  }
  supervise();
  end_all_descendants();
  for (CommandRank& rank : ranks_) rank.read_last_lines(taker(rank));
  finish();
}

void CommandRun::supervise() {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signal : {SIGCHLD, SIGTERM}) sigaddset(&mask, signal);
  ::sigprocmask(SIG_BLOCK, &mask, nullptr);
  const UniqueFd signals(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  // They may have ended before the mask was set.
  read_signals(signals.get());
  while (is_any_running()) wait_for_something(signals.get());
  if (terminated_by_others_) wait_for_word(signals.get());
}

/// A batch system that ends a job tells the command and its trainer at once. What the command's end
/// means is the trainer's to say, and may come after it.
void CommandRun::wait_for_word(int signals) {
  const std::int64_t until_ms = monotonic_ms().count() + kWordMs;
  while (told_ == Action::go_on && !terminated_ && monotonic_ms().count() < until_ms) {
    std::array<pollfd, 2> fds{{{signals, POLLIN, 0}, {link_.fd(), POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), kPollMs);
    read_signals(signals);
    told_ = link_.decision();
  }
}

bool CommandRun::is_any_running() const {
  return std::any_of(ranks_.begin(), ranks_.end(),
                     [](const CommandRank& rank) { return rank.is_running(); });
}

void CommandRun::wait_for_something(int signals) {
  std::vector<pollfd> fds{{signals, POLLIN, 0}, {link_.fd(), POLLIN, 0}};
  const std::size_t first = fds.size();
  for (const CommandRank& rank : ranks_) fds.push_back({rank.output(), POLLIN, 0});
  ::poll(fds.data(), fds.size(), file_has_more_ ? 0 : kPollMs);
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    if (fds[first + i].revents != 0) ranks_[i].read_output(taker(ranks_[i]));
  }
  file_has_more_ = ranks_.front().read_metrics_file(taker(ranks_.front()));
  read_signals(signals);
  end_gang_if_broken();
  end_if_told();
}

void CommandRun::read_signals(int signals) {
  signalfd_siginfo info{};
  while (::read(signals, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGTERM) continue;
    const bool by_trainer = static_cast<pid_t>(info.ssi_pid) == ::getppid();
    (by_trainer ? terminated_ : terminated_by_others_) = true;
  }
  // Several SIGCHLD may have become one; strays that were handed to this process end up here too.
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) take_end(pid, status);
}

void CommandRun::take_end(pid_t pid, int status) {
  const auto found = std::find_if(ranks_.begin(), ranks_.end(), [pid](const CommandRank& rank) {
    return rank.is_running() && rank.pid() == pid;
  });
  if (found == ranks_.end()) return;
  found->has_ended(status);
  if (kill_at_ms_ != 0 || ranks_.size() == 1) return;
  // What another has said before this end comes before it.
  for (CommandRank& rank : ranks_) rank.read_output(taker(rank));
  found->read_what_is_there(taker(*found));
  const std::int64_t now_ms = monotonic_ms().count();
  const bool well = found->has_succeeded() && failure_line(*found).kind == OutputLine::Kind::log;
  if (!well) blame_.ended(found->rank(), status, now_ms);
  if (well && found->rank() == 0) leader_ended_ms_ = now_ms;
}

OutputLine& CommandRun::failure_line(const CommandRank& rank) {
  return failures_[static_cast<std::size_t>(rank.rank())];
}

CommandRank::TakeLine CommandRun::taker(CommandRank& rank) {
  return [this, &rank](const std::string& line) { take_line(rank, line); };
}

void CommandRun::take_line(CommandRank& rank, const std::string& line) {
  OutputLine read = read_output_line(line, assign_.job.objective);
  const bool leads = rank.rank() == 0;
  if (read.kind == OutputLine::Kind::report && leads) return take_report(read);
  // Of the other ranks, no metric is heard, be it right or wrong.
  const bool heard =
      read.kind == OutputLine::Kind::failure || (read.kind == OutputLine::Kind::bad && leads);
  if (!heard || failure_line(rank).kind != OutputLine::Kind::log) return;
  failure_line(rank) = std::move(read);
  if (kill_at_ms_ == 0) blame_.said_so(rank.rank());
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

void CommandRun::signal_all(int signal) const {
  for (const CommandRank& rank : ranks_) rank.signal(signal);
}

void CommandRun::end_if_told() {
  const Action decision = link_.decision();
  const bool give_up = terminated_ || diverged_ || failures_.front().kind == OutputLine::Kind::bad;
  const std::int64_t now_ms = monotonic_ms().count();
  if (kill_at_ms_ == 0 && (decision != Action::go_on || give_up)) {
    told_ = decision;
    kill_at_ms_ = now_ms + job_.grace_ms;
    signal_all(SIGTERM);
    signal_all(SIGCONT);
  }
  if (kill_at_ms_ != 0 && now_ms >= kill_at_ms_) signal_all(SIGKILL);
}

void CommandRun::end_gang_if_broken() {
  if (ranks_.size() == 1 || kill_at_ms_ != 0) return;
  const std::int64_t now_ms = monotonic_ms().count();
  if (blame_.is_settled(now_ms)) {
    broken_ = failure_of_blamed();
    kill_at_ms_ = now_ms;
  } else {
    broken_ = lost_rank(now_ms);
    if (broken_) kill_at_ms_ = now_ms;
  }
}

std::optional<WorkerEnd> CommandRun::failure_of_blamed() {
  const int index = blame_.rank().value_or(0);
  if (index == 0) return std::nullopt;
  const CommandRank& rank = ranks_[static_cast<std::size_t>(index)];
  AttemptFailure failure;
  if (const OutputLine& said = failure_line(rank); said.kind == OutputLine::Kind::failure) {
    failure = {said.failure, failure_text("rank " + std::to_string(index) + ": " + said.message,
                                          rank.last_output())};
  } else {
    const bool oom = oom_kill_count() > oom_kills_before_;
    failure = failure_of({rank.status(), oom, rank.last_output(), index, ""}, "the command");
  }
  WorkerEnd end = failed_end(last_step_, failure.kind, failure.message);
  end.rank = index;
  return end;
}

std::optional<WorkerEnd> CommandRun::lost_rank(std::int64_t now_ms) {
  const auto lost = [this](const CommandRank& rank, const std::string& what) {
    WorkerEnd end = failed_end(last_step_, FailureClass::infra,
                               rank.rank() == 0 ? what : failure_text(what, rank.last_output()));
    end.rank = rank.rank();
    return end;
  };
  const bool late =
      leader_ended_ms_ != 0 && now_ms - leader_ended_ms_ >= assign_.job.rank_timeout_ms;
  const bool looks = now_ms - stopped_looked_ms_ >= kStoppedMs;
  if (looks) stopped_looked_ms_ = now_ms;
  for (CommandRank& rank : ranks_) {
    if (!rank.is_running()) continue;
    if (looks && rank.is_kept_stopped(now_ms)) return lost(rank, kept_stopped_text(rank.rank()));
    if (!late) continue;
    return lost(rank, "rank " + std::to_string(rank.rank()) +
                          " is still running long after rank 0 has ended; if that is as it should "
                          "be, raise resources.rank_timeout");
  }
  return std::nullopt;
}

Status CommandRun::publish(Step step) {
  std::error_code error;
  if (step <= assign_.from || fs::is_empty(place_.checkpoint_dir, error) || error) {
    checkpoints_.abandon();
    return Ok{};
  }
  BETATUNE_TRY(auto artifact, checkpoints_.publish(step));
  link_.send(WorkerReport{step, {}, std::move(artifact)});
  return Ok{};
}

std::optional<WorkerEnd> CommandRun::judge() {
  const std::string& objective = assign_.job.objective;
  const bool succeeded = ranks_.front().has_succeeded();
  const OutputLine& failure = failures_.front();
  // Where nothing ended them early, one may have failed at the very end.
  if (kill_at_ms_ == 0) broken_ = failure_of_blamed();
  if (broken_) return broken_;
  if (failure.kind == OutputLine::Kind::bad) {
    return failed_end(last_step_, FailureClass::user, "the command's output: " + failure.message);
  }
  if (failure.kind == OutputLine::Kind::failure) {
    return failed_end(last_step_, failure.failure, failure.message);
  }
  if (diverged_) {
    return failed_end(last_step_, FailureClass::diverged,
                      "metric `" + objective + "` is not finite");
  }
  if (told_ != Action::go_on && !(succeeded && last_step_ >= assign_.until)) {
    return WorkerEnd{told_ == Action::pause ? AttemptEnd::paused : AttemptEnd::stopped, last_step_,
                     std::nullopt, ""};
  }
  if (terminated_by_others_ && !terminated_ && last_step_ < assign_.until) {
    return failed_end(last_step_, FailureClass::infra,
                      "SIGTERM came from elsewhere, and the command has ended by it");
  }
  if (!succeeded) return std::nullopt;
  if (!anything_seen_ || (!objective.empty() && !objective_seen_)) {
    return failed_end(last_step_, FailureClass::user,
                      "the command ended with exit status 0 but never reported `" + objective +
                          "`; print a line like {\"" + objective + "\": 0.31}");
  }
  return WorkerEnd{AttemptEnd::reached, assign_.until, std::nullopt, ""};
}

void CommandRun::finish() {
  auto end = judge();
  if (!end) return end_like_rank_0();
  if (end->end == AttemptEnd::reached && unnumbered_ && last_step_ < assign_.until) {
    link_.send(WorkerReport{assign_.until, *unnumbered_, std::nullopt});
  }
  if (end->end == AttemptEnd::failed || end->end == AttemptEnd::stopped) {
    checkpoints_.abandon();
  } else if (const Status published = publish(end->step); !published) {
    checkpoints_.abandon();
    end = failed_end(end->step, FailureClass::infra, published.error().message);
  }
  link_.send(*end);
}

void CommandRun::end_like_rank_0() {
  const int status = ranks_.front().status();
  checkpoints_.abandon();
  remove_scratch(assign_);
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    // The command left its own core file, if any; this process has nothing to add to it.
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    reset_signals();
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

}  // namespace betatune
