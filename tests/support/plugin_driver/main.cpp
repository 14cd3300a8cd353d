/// Loads a trainer plug-in and runs it in this process: for tests and for trying parameters by
/// hand. Knows nothing but plugin.h. One JSON line per report on standard output.
///
///   plugin_driver PLUGIN.so [--params JSON] [--config JSON] [--seed N] [--cpus N] [--until
///   N,N,...]
///                 [--load DIR] [--save DIR] [--children N]
///
/// --children N: the plug-in is loaded once, then N children are forked one after another, each of
/// which does all of the above. The exit status is the failure class of the first call that failed,
/// 64 for wrong usage, 65 if the plug-in cannot be loaded, 66 if threads run before a fork.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vector>

#include "trainers/plugin.h"

namespace {

struct Options {
  std::string plugin, params = "{}", config = "{}", load, save;
  std::vector<std::int64_t> until{1};
  std::uint64_t seed = 1;
  int cpus = 1, children = 0;
};

[[noreturn]] void usage() {
  std::fprintf(
      stderr,
      "usage: plugin_driver PLUGIN.so [--params JSON] [--config JSON] [--seed N] [--cpus N]"
      " [--until N,N,...] [--load DIR] [--save DIR] [--children N]\n");
  std::exit(64);
}

Options read_options(int argc, char** argv) {
  Options options;
  if (argc < 2 || argc % 2 != 0) usage();
  options.plugin = argv[1];
  for (int i = 2; i < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--params") {
      options.params = value;
    } else if (name == "--config") {
      options.config = value;
    } else if (name == "--seed") {
      options.seed = std::stoull(value);
    } else if (name == "--cpus") {
      options.cpus = std::stoi(value);
    } else if (name == "--load") {
      options.load = value;
    } else if (name == "--save") {
      options.save = value;
    } else if (name == "--children") {
      options.children = std::stoi(value);
    } else if (name == "--until") {
      options.until.clear();
      std::istringstream list(value);
      for (std::string step; std::getline(list, step, ',');) {
        options.until.push_back(std::stoll(step));
      }
    } else {
      usage();
    }
  }
  return options;
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::int32_t print_report(void*, std::int64_t step, const char* metrics_json) {
  std::printf("{\"step\": %lld, \"cpu_seconds\": %.3f, \"metrics\": %s}\n",
              static_cast<long long>(step), cpu_seconds(), metrics_json);
  std::fflush(stdout);
  return BETATUNE_CONTINUE;
}

void print_log(void*, std::int32_t level, const char* text) {
  std::fprintf(stderr, "log %d: %s\n", level, text);
}

int run(const betatune_plugin& plugin, const Options& options) {
  const betatune_host host{sizeof host, nullptr, &print_report, &print_log, nullptr};
  const betatune_trainer* trainer = plugin.create(&host);
  if (trainer == nullptr) return 65;
  const std::string scratch = std::filesystem::temp_directory_path().string();
  const betatune_job job{sizeof job,
                         options.params.c_str(),
                         options.config.c_str(),
                         options.seed,
                         0,
                         0,
                         1,
                         options.cpus,
                         0,
                         "",
                         scratch.c_str(),
                         60'000};
  std::int32_t status = trainer->setup(trainer->self, &job);
  if (status == 0 && !options.load.empty()) {
    status = trainer->load(trainer->self, options.load.c_str());
  }
  for (std::size_t i = 0; status == 0 && i < options.until.size(); ++i) {
    status = trainer->train(trainer->self, options.until[i]);
  }
  if (status == 0 && !options.save.empty()) {
    std::filesystem::create_directories(options.save);
    status = trainer->save(trainer->self, options.save.c_str());
  }
  if (status != 0) std::fprintf(stderr, "failed: %s\n", trainer->last_error(trainer->self));
  trainer->destroy(trainer->self);
  return status;
}

std::ptrdiff_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

int run_children(const betatune_plugin& plugin, const Options& options) {
  for (int i = 0; i < options.children; ++i) {
    if (thread_count() != 1) return 66;
    const pid_t child = fork();
    if (child == 0) std::exit(run(plugin, options));
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) return 128 + WTERMSIG(status);
    if (WEXITSTATUS(status) != 0) return WEXITSTATUS(status);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  void* library = dlopen(options.plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 65;
  }
  const auto* plugin = static_cast<const betatune_plugin*>(dlsym(library, BETATUNE_PLUGIN_SYMBOL));
  if (plugin == nullptr || plugin->abi_major != BETATUNE_ABI_MAJOR) {
    std::fprintf(stderr, "%s is no plug-in of ABI %u\n", options.plugin.c_str(),
                 BETATUNE_ABI_MAJOR);
    return 65;
  }
  return options.children > 0 ? run_children(*plugin, options) : run(*plugin, options);
}
