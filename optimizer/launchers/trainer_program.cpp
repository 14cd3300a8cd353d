#include "optimizer/launchers/trainer_program.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char** environ;

namespace betatune {
namespace {

namespace fs = std::filesystem;

/// A check that something killed from outside says nothing of the plug-in: it is made again.
constexpr int kCheckAttempts = 5;

/// Runs a program to its end, with stderr read and stdout dropped.
Result<int> run_and_listen(std::vector<std::string> words, std::string& said) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    return Error{ErrorKind::unavailable, fmt::format("no pipe: {}", std::strerror(errno))};
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1 /* O_WRONLY */, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  const int failed = posix_spawn(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  while (failed == 0 && (got = read(ends[0], buffer.data(), buffer.size())) > 0) {
    said.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(ends[0]);
  if (failed != 0) {
    return Error{ErrorKind::unavailable, fmt::format("{}: {}", words[0], std::strerror(failed))};
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<std::string> find_trainer_program() {
  std::error_code ignored;
  std::vector<fs::path> folders = {fs::read_symlink("/proc/self/exe", ignored).parent_path()};
  const char* path = std::getenv("PATH");
  const std::string all = path != nullptr ? path : "";
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find(':', begin), all.size());
    folders.emplace_back(all.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const fs::path& folder : folders) {
    const fs::path candidate = folder / "betatune-trainer";
    if (access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return Error{ErrorKind::not_found,
               "betatune-trainer is neither beside betatune nor in PATH: install both programs"};
}

Status check_plugin(const std::string& name_or_path) {
  BETATUNE_TRY(const std::string program, find_trainer_program());
  std::string said;
  for (int attempt = 0; attempt < kCheckAttempts; ++attempt) {
    said.clear();
    BETATUNE_TRY(const int status,
                 run_and_listen({program, "plugin", "check", name_or_path}, said));
    if (status == 0) return Ok{};
    while (!said.empty() && said.back() == '\n') said.pop_back();
    if (said.empty()) said = fmt::format("loading it ended with status {}", status);
    if (said.find("SIGKILL") == std::string::npos && status != 128 + SIGKILL) break;
  }
  return Error{ErrorKind::invalid_argument,
               fmt::format("the study's plug-in cannot be used: {}", said)};
}

}  // namespace betatune
