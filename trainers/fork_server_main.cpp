#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "trainers/fork_server.hpp"
#include "trainers/job_signals.hpp"
#include "trainers/plugin_host.hpp"
#include "trainers/worker.hpp"

namespace betatune {
namespace {

constexpr const char* kServerWord = "--internal-fork-server";
constexpr const char* kWorkerWord = "--internal-worker";
constexpr const char* kSelf = "/proc/self/exe";

int descriptor(const char* text) {
  int fd = -1;
  std::from_chars(text, text + std::strlen(text), fd);
  return fd;
}

bool keep_through_exec(int fd) {
  return ::fcntl(fd, F_SETFD, 0) == 0;
}

std::string read_all(int fd) {
  std::string text;
  char bytes[4096];
  for (ssize_t got = 0; (got = ::read(fd, bytes, sizeof bytes)) > 0;) {
    text.append(bytes, static_cast<std::size_t>(got));
  }
  return text;
}

/// A worker that loads the plug-in itself.
int run_exec_worker(int link_fd, int job_fd, const std::string& plugin_path) {
  heed_only(::getppid());
  WorkerLink link(link_fd);
  ::lseek(job_fd, 0, SEEK_SET);
  const auto job = decode_json<WorkerJob>(Json::parse(read_all(job_fd), nullptr, false), "job");
  ::close(job_fd);
  const auto plugin = load_plugin(plugin_path);
  if (job) {
    for (const int fd : job.value().gang_links) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(job.value().groups_line, F_SETFD, FD_CLOEXEC);
  }
  if (!job || !plugin) {
    const std::string why = job ? plugin.error().message : job.error().message;
    link.send(failed_end(0, FailureClass::user, why));
    return 0;
  }
  run_worker(job.value(), link, plugin.value());
  std::fflush(nullptr);
  ::_exit(0);
}

}  // namespace

void ForkServer::exec_worker(const WorkerJob& job, UniqueFd link) const {
  const UniqueFd file(::memfd_create("job", 0));
  const std::string text = json_text(encode_json(job));
  const bool linked =
      std::all_of(job.gang_links.begin(), job.gang_links.end(), keep_through_exec) &&
      (job.groups_line < 0 || keep_through_exec(job.groups_line));
  const bool ready =
      linked && file &&
      ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      keep_through_exec(link.get());
  if (ready) {
    const std::string link_text = std::to_string(link.get());
    const std::string job_text = std::to_string(file.get());
    ::execl(kSelf, "betatune-trainer", kWorkerWord, link_text.c_str(), job_text.c_str(),
            plugin_path_.c_str(), nullptr);
  }
  WorkerLink(link.get())
      .send(failed_end(0, FailureClass::infra, errno_error("start a worker program").message));
  ::_exit(0);
}

std::vector<std::string> fork_server_argv(int control, const std::string& plugin_path) {
  return {"betatune-trainer", kServerWord, std::to_string(control), plugin_path};
}

int run_internal_command(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], kServerWord) == 0) {
    UniqueFd control(descriptor(argv[2]));
    ::fcntl(control.get(), F_SETFD, FD_CLOEXEC);
    return ForkServer(std::move(control), argv[3]).run();
  }
  if (argc == 5 && std::strcmp(argv[1], kWorkerWord) == 0) {
    const int link = descriptor(argv[2]);
    ::fcntl(link, F_SETFD, FD_CLOEXEC);
    return run_exec_worker(link, descriptor(argv[3]), argv[4]);
  }
  return -1;
}

}  // namespace betatune
