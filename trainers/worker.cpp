#include "trainers/worker.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <unistd.h>

#include "trainers/attempt_folder.hpp"
#include "trainers/command/command_run.hpp"
#include "trainers/plugin_run.hpp"

namespace betatune {
namespace {

Status enter(const WorkerJob& job) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  for (const auto& [name, value] : job.environment) ::setenv(name.c_str(), value.c_str(), 1);
  const std::string& directory = job.assign.job.directory;
  if (!directory.empty() && ::chdir(directory.c_str()) != 0) {
    return errno_error("enter the study file's folder " + directory);
  }
  return make_scratch(job.assign);
}

void run_plugin(const WorkerJob& job, WorkerLink& link, const betatune_plugin& plugin) {
  PluginRun run(job, link, plugin);
  link.send(run.run());
  std::fflush(nullptr);
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
      run_plugin(job, link, *plugin);
    } else {
      CommandRun(job, link).run();
    }
  } catch (const std::exception& e) {
    link.send(failed_end(from, FailureClass::user,
                         std::string("an exception crossed the plug-in's interface: ") + e.what()));
  } catch (...) {
    link.send(failed_end(from, FailureClass::user, "an exception crossed the plug-in's interface"));
  }
  remove_scratch(job.assign);
}

}  // namespace betatune
