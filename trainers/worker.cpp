#include "trainers/worker.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include "trainers/attempt_folder.hpp"
#include "trainers/command/command_run.hpp"
#include "trainers/plugin_run.hpp"
#include "trainers/rank_process.hpp"
#include "trainers/rank_run.hpp"

namespace betatune {
namespace {

constexpr std::int32_t kError = 3;  // of plugin.h's levels

/// The GPUs of one rank: its share of those that the trial may use.
std::string share_of(const std::string& devices, int rank, int each) {
  std::vector<std::string> all;
  std::stringstream stream(devices);
  for (std::string device; std::getline(stream, device, ',');) all.push_back(device);
  std::string share;
  for (int i = rank * each; i < (rank + 1) * each && i < static_cast<int>(all.size()); ++i) {
    share += (share.empty() ? "" : ",") + all[static_cast<std::size_t>(i)];
  }
  return share;
}

void set_environment(const WorkerJob& job) {
  const auto set = [](const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
  };
  for (const auto& [name, value] : job.environment) set(name, value);
  const int ranks = job.assign.job.ranks;
  // The processes of a command get theirs from this one.
  if (ranks < 2 || job.assign.job.plugin.empty()) return;
  for (const char* name : {"RANK", "LOCAL_RANK"}) set(name, std::to_string(job.rank));
  for (const char* name : {"WORLD_SIZE", "LOCAL_WORLD_SIZE"}) set(name, std::to_string(ranks));
  const char* devices = std::getenv("CUDA_VISIBLE_DEVICES");
  if (devices == nullptr || job.assign.job.gpus == 0) return;
  set("CUDA_VISIBLE_DEVICES", share_of(devices, job.rank, job.assign.job.gpus / ranks));
}

Status enter(const WorkerJob& job) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  set_environment(job);
  const std::string& directory = job.assign.job.directory;
  if (!directory.empty() && ::chdir(directory.c_str()) != 0) {
    return errno_error("enter the study file's folder " + directory);
  }
  // The ranks of an attempt share its scratch folder. The others wait for rank 0's first order.
  return job.rank == 0 ? make_scratch(job.assign) : Ok{};
}

/// What one rank sees of another's death (a closed connection) is not why the attempt failed. The
/// fork server sees the death itself, and ends this process while it waits here.
void let_deaths_speak_first(const WorkerJob& job) {
  constexpr useconds_t kLeader = 500'000, kOthers = 800'000;
  if (job.assign.job.ranks > 1) ::usleep(job.rank == 0 ? kLeader : kOthers);
}

void run_plugin(const WorkerJob& job, WorkerLink& link, const betatune_plugin& plugin) {
  PluginRun run(job, link, plugin);
  const WorkerEnd end = run.run();
  if (end.end == AttemptEnd::failed) let_deaths_speak_first(job);
  link.send(end);
  std::fflush(nullptr);
}

void run_rank(const WorkerJob& job, WorkerLink& link, const betatune_plugin& plugin) {
  RankRun run(job, plugin);
  const WorkerEnd failed = run.run();
  let_deaths_speak_first(job);
  if (run.ends_alone() && failed.failure == FailureClass::infra) {
    log_to_stderr(nullptr, kError, failed.message.c_str());
    std::fflush(nullptr);
    ::_exit(kExitRankLost);
  }
  link.send(failed);
  std::fflush(nullptr);
  ::_exit(kExitRankFailed);
}

}  // namespace

void run_worker(const WorkerJob& job, WorkerLink& link, const betatune_plugin* plugin) {
  const Step from = job.assign.from;
  if (const Status entered = enter(job); !entered) {
    link.send(failed_end(from, FailureClass::infra, entered.error().message));
    return;
  }
  try {
    if (plugin != nullptr) {
      job.rank == 0 ? run_plugin(job, link, *plugin) : run_rank(job, link, *plugin);
    } else {
      CommandRun(job, link).run();
    }
  } catch (const std::exception& e) {
    link.send(failed_end(from, FailureClass::user,
                         std::string("an exception crossed the plug-in's interface: ") + e.what()));
  } catch (...) {
    link.send(failed_end(from, FailureClass::user, "an exception crossed the plug-in's interface"));
  }
  if (job.rank == 0) remove_scratch(job.assign);
}

}  // namespace betatune
