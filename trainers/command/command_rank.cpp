#include "trainers/command/command_rank.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include "trainers/attempt_folder.hpp"
#include "trainers/rank_process.hpp"

namespace betatune {
namespace {

// Bounded, so that a command that never stops writing can still be told to stop.
constexpr int kReadsPerTurn = 4;
constexpr std::size_t kReadBytes = 16'384;

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

std::filesystem::path metrics_file(const Assign& assign, int rank) {
  return scratch_folder(assign) /
         (rank == 0 ? "metrics.jsonl" : "metrics.rank-" + std::to_string(rank) + ".jsonl");
}

CommandRank::CommandRank(const Assign& assign, int rank)
    : rank_(rank), metrics_file_(metrics_file(assign, rank)) {
  if (rank > 0) log_.emplace(attempt_log(assign, rank));
}

Status CommandRank::start(ChildSpec spec) {
  // Rank 0's errors go where this process's go.
  spec.errors_to_output = rank_ > 0;
  BETATUNE_TRY(child_, start_child(spec));
  running_ = true;
  return Ok{};
}

void CommandRank::signal(int signal) const {
  if (running_) ::kill(-child_.pid, signal);
}

void CommandRank::has_ended(int status) {
  running_ = false;
  status_ = status;
}

bool CommandRank::has_succeeded() const {
  return !running_ && WIFEXITED(status_) && WEXITSTATUS(status_) == 0;
}

void CommandRank::log(std::string_view bytes) {
  log_ ? log_->append(bytes) : echo(bytes);
}

bool CommandRank::read_output(const TakeLine& take) {
  std::array<char, kReadBytes> bytes{};
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t got = ::read(child_.output.get(), bytes.data(), bytes.size());
    if (got < 0) return false;
    if (got == 0) {
      child_.output.reset();
      return false;
    }
    const std::string_view text(bytes.data(), static_cast<std::size_t>(got));
    log(text);
    for (const std::string& line : output_lines_.feed(text)) take(line);
  }
  return true;
}

bool CommandRank::read_metrics_file(const TakeLine& take) {
  std::ifstream file(metrics_file_, std::ios::binary);
  if (!file) return false;
  file.seekg(static_cast<std::streamoff>(file_offset_));
  std::array<char, kReadBytes> bytes{};
  for (int i = 0; i < kReadsPerTurn; ++i) {
    file.read(bytes.data(), bytes.size());
    const auto got = static_cast<std::size_t>(file.gcount());
    if (got == 0) return false;
    file_offset_ += got;
    for (const std::string& line : file_lines_.feed({bytes.data(), got})) take(line);
  }
  return true;
}

void CommandRank::read_what_is_there(const TakeLine& take) {
  constexpr int kTurns = 32;
  for (int i = 0; i < kTurns && read_output(take); ++i) {
  }
  for (int i = 0; i < kTurns && read_metrics_file(take); ++i) {
  }
}

void CommandRank::read_last_lines(const TakeLine& take) {
  while (child_.output && read_output(take)) {
  }
  while (read_metrics_file(take)) {
  }
  for (LineReader* reader : {&output_lines_, &file_lines_}) {
    if (const auto line = reader->rest()) take(*line);
  }
  if (log_) log_->finish();
}

bool CommandRank::is_kept_stopped(std::int64_t now_ms) {
  return running_ && betatune::is_kept_stopped(child_.pid, now_ms, stopped_since_ms_);
}

}  // namespace betatune
