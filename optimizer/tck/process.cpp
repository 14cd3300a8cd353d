#include "optimizer/tck/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace betatune::tck {
namespace {

[[noreturn]] void become(char* const* argv, const char* folder, int log) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  if (::chdir(folder) == 0) ::execvp(argv[0], argv);
  const char* why = std::strerror(errno);
  static_cast<void>(!::write(STDERR_FILENO, why, std::strlen(why)));
  ::_exit(127);
}

}  // namespace

std::vector<std::string> with_values(std::vector<std::string> argv,
                                     const std::map<std::string, std::string>& values) {
  for (std::string& word : argv) {
    for (const auto& [name, value] : values) {
      for (std::size_t at = word.find(name); at != std::string::npos; at = word.find(name, at)) {
        word.replace(at, name.size(), value);
        at += value.size();
      }
    }
  }
  return argv;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), status_(std::exchange(other.status_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
  kill();
  pid_ = std::exchange(other.pid_, 0);
  status_ = std::exchange(other.status_, std::nullopt);
  return *this;
}

Process::~Process() {
  kill();
}

Result<Process> Process::start(const std::vector<std::string>& argv,
                               const std::filesystem::path& folder,
                               const std::filesystem::path& log) {
  std::vector<char*> words;
  for (const std::string& each : argv) words.push_back(const_cast<char*>(each.c_str()));
  words.push_back(nullptr);
  const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return Error{ErrorKind::unavailable, log.string() + ": " + std::strerror(errno)};
  Process process;
  process.pid_ = ::fork();
  if (process.pid_ == 0) become(words.data(), folder.c_str(), fd);
  const int reason = errno;
  ::close(fd);
  if (process.pid_ < 0) {
    process.pid_ = 0;
    return Error{ErrorKind::unavailable, std::string("fork: ") + std::strerror(reason)};
  }
  ::setpgid(process.pid_, process.pid_);
  return process;
}

bool Process::running() {
  if (pid_ == 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  ::kill(-pid_, SIGKILL);
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = 0;
  return false;
}

void Process::signal(int number) const {
  if (pid_ != 0) ::kill(pid_, number);
}

void Process::kill() {
  if (pid_ == 0) return;
  ::kill(-pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = 0;
}

std::optional<int> Process::wait(std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (running() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return pid_ == 0 ? status_ : std::nullopt;
}

}  // namespace betatune::tck
