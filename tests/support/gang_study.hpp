#pragma once
/// Ready studies whose trials are gangs, at a small scale: a folder to run them in, and the
/// processes of their ranks.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/file_text.hpp"
#include "tests/support/marked_processes.hpp"
#include "tests/support/ready_study.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/user_shell.hpp"

namespace betatune::support {

inline std::filesystem::path ready_studies() {
  return std::filesystem::path(BETATUNE_SOURCE_DIR) / "configs";
}

/// A ready study with few events, epochs and trials, one gang at a time.
inline std::string small_gang_study(const std::string& name, int trials, int epochs = 3) {
  std::string text = file_text(ready_studies() / name);
  text = replaced(text, "max: 9, resumable", "max: " + std::to_string(epochs) + ", resumable");
  text = replaced(text, "epochs: 9", "epochs: " + std::to_string(epochs));
  text = replaced(text, "train_samples: 40000", "train_samples: 2000");
  text = replaced(text, "(validation|test)_samples: 10000", "$1_samples: 500");
  text = replaced(text, "trials: 16", "trials: " + std::to_string(trials));
  text = replaced(text, "name: local", "name: local, trainers: 1");
  return replaced(text, "path: runs/[a-z-]*", "path: run");
}

class Gangs : public ::testing::Test {
 protected:
  void write(const std::string& text) { std::ofstream(folder_ / "study.yaml") << text; }
  Ended type(const std::string& command) { return support::type(folder_.path(), command); }
  /// `betatune run study.yaml` beside the test; its output in run.txt.
  pid_t start_run(ProcessFamily& family) {
    return family.start({"/bin/sh", "-c", as_typed(folder_.path(), "exec betatune run study.yaml")},
                        "run.txt");
  }
  nlohmann::json json(const std::string& command) {
    const Ended ended = type(command);
    EXPECT_EQ(ended.status, 0) << ended.err;
    return nlohmann::json::parse(ended.out, nullptr, false);
  }
  std::string log(int rank, int attempt = 1) {
    return file_text(folder_ / ("run/trials/0/attempt-" + std::to_string(attempt) + "/log" +
                                (rank == 0 ? "" : ".rank-" + std::to_string(rank))));
  }

  TemporaryDirectory folder_;
};

/// The ranks that live below a family's trainers: children of a fork server, which look like it.
inline std::vector<pid_t> ranks_of(const ProcessFamily& family) {
  std::vector<pid_t> servers, ranks;
  for (const MarkedProcess& each : family.alive()) {
    if (each.has_argument("--internal-fork-server")) servers.push_back(each.pid);
  }
  for (const pid_t pid : servers) {
    const std::string stat = file_text("/proc/" + std::to_string(pid) + "/stat");
    std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
    std::string state;
    pid_t parent = 0;
    fields >> state >> parent;
    if (std::find(servers.begin(), servers.end(), parent) != servers.end()) ranks.push_back(pid);
  }
  return ranks;
}

}  // namespace betatune::support
