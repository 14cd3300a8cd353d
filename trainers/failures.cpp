#include "trainers/failures.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "searchspaces/limits.hpp"
#include "trainers/metrics.hpp"
#include "trainers/processes.hpp"

namespace betatune {
namespace {

template <std::size_t N>
bool holds_any(std::string_view text, const std::array<std::string_view, N>& phrases) {
  return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) {
    return text.find(phrase) != std::string_view::npos;
  });
}

constexpr std::array<std::string_view, 8> kOutOfMemory{"CUDA out of memory",
                                                       "CUDA error: out of memory",
                                                       "CUDNN_STATUS_ALLOC_FAILED",
                                                       "OutOfMemoryError",
                                                       "MemoryError",
                                                       "std::bad_alloc",
                                                       "can't allocate memory",
                                                       "Cannot allocate memory"};
constexpr std::array<std::string_view, 4> kMachine{"No space left on device", "Disk quota exceeded",
                                                   "Input/output error",
                                                   "Too many open files in system"};

AttemptFailure failure_of_signal(int signal, const ProcessEnd& end, const std::string& who) {
  const std::string what = who + " was ended by " + signal_text(signal);
  if (signal == SIGKILL) {
    if (end.oom_killer) {
      return {FailureClass::oom, what + ": the machine's memory ran out"};
    }
    return {FailureClass::infra, what + " from outside"};
  }
  if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) {
    return {FailureClass::infra, what + " from outside"};
  }
  if (signal == SIGXCPU) return {FailureClass::timeout, what};
  if (signal == SIGXFSZ) return {FailureClass::infra, what};
  return {refine(FailureClass::user, end.output), what};
}

}  // namespace

FailureClass refine(FailureClass claimed, std::string_view words) {
  if (claimed != FailureClass::user) return claimed;
  if (holds_any(words, kOutOfMemory)) return FailureClass::oom;
  if (holds_any(words, kMachine)) return FailureClass::infra;
  return claimed;
}

int ending_signal(int wait_status) {
  if (WIFSIGNALED(wait_status)) return WTERMSIG(wait_status);
  constexpr int kShellSays = 128;
  constexpr int kLastSignal = 64;
  const int status = WEXITSTATUS(wait_status);
  return status > kShellSays && status <= kShellSays + kLastSignal ? status - kShellSays : 0;
}

AttemptFailure failure_of(const ProcessEnd& end, const std::string& of) {
  if (!end.note.empty()) return {FailureClass::infra, failure_text(end.note, end.output)};
  const std::string who = end.rank == 0 ? of : "rank " + std::to_string(end.rank) + " of " + of;
  AttemptFailure failure{refine(FailureClass::user, end.output), ""};
  const int signal = ending_signal(end.wait_status);
  if (signal != 0) failure = failure_of_signal(signal, end, who);
  if (!WIFSIGNALED(end.wait_status)) {
    failure.message = who + " ended with exit status " +
                      std::to_string(WEXITSTATUS(end.wait_status)) + " before its work was done";
    if (signal != 0) failure.message += " (" + signal_text(signal) + ")";
  }
  failure.message = failure_text(failure.message, end.output);
  return failure;
}

bool disk_is_full(const std::filesystem::path& path) {
  constexpr std::uint64_t kLittle = 1u << 20;
  std::filesystem::path at = path;
  struct statvfs stat {};
  while (::statvfs(at.c_str(), &stat) != 0) {
    if (!at.has_parent_path() || at == at.parent_path()) return false;
    at = at.parent_path();
  }
  const bool no_inodes = stat.f_files != 0 && stat.f_favail == 0;
  return no_inodes || stat.f_bavail * stat.f_frsize < kLittle;
}

std::string failure_text(const std::string& what, const std::string& output) {
  constexpr std::size_t kOutputBytes = 2'048;
  std::string text = clean_text(what, limits::kErrorTextBytes - kOutputBytes - 64);
  std::string_view tail = output;
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == ' ')) tail.remove_suffix(1);
  if (tail.empty()) return text;
  if (tail.size() > kOutputBytes) {
    tail.remove_prefix(tail.size() - kOutputBytes);
    tail.remove_prefix(std::min(tail.size(), tail.find('\n') + 1));
  }
  return text + "\nits last output:\n" + clean_text(tail, kOutputBytes);
}

}  // namespace betatune
