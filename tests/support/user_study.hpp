#pragma once
/// A study whose trainer is a shell script, run as a user runs it: the fixture of the tests of
/// `betatune` as a whole.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>

#include "searchspaces/value.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/marked_processes.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/user_shell.hpp"

namespace betatune::support {

/// The loss is x.
inline constexpr const char* kReports = "echo \"{\\\"loss\\\": $BETATUNE_PARAM_X}\"\n";
/// The same once the file "go" is there; "started" says that the first trial runs.
inline constexpr const char* kReportsAtGo =
    "echo yes > started; until [ -e go ]; do sleep 0.02; done\n"
    "echo \"{\\\"loss\\\": $BETATUNE_PARAM_X}\"\n";

class UserStudy : public ::testing::Test {
 protected:
  /// study.yaml with one trainer, and train.sh as its command; `more` is further YAML.
  void write(int trials, const std::string& script, const std::string& more = {}) {
    write_yaml("stopping: {trials: " + std::to_string(trials) + "}\n" + more);
    std::ofstream(folder_ / "train.sh") << script;
  }
  void write_yaml(const std::string& more) {
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo, seed: 1}\nobjective: {metric: loss}\n"
           "parameters:\n  x: {type: float, min: 0, max: 1}\n"
           "algorithm: {name: random}\nlauncher: {trainers: 1}\n"
           "trainer: {command: [sh, train.sh]}\n"
        << more;
  }

  Ended type(const std::string& command) { return support::type(folder_.path(), command); }
  Json json(const std::string& command) {
    const Ended ended = type(command);
    EXPECT_EQ(ended.status, 0) << command << "\n" << ended.err;
    Json parsed = Json::parse(ended.out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << command << "\n" << ended.out;
    return parsed;
  }

  /// `betatune run study.yaml` in the background, until its first trial runs kReportsAtGo.
  void start(const std::string& arguments = {}) {
    std::filesystem::remove(folder_ / "started");
    run_ = family_.start(
        {"/bin/sh", "-c", as_typed(folder_.path(), "exec betatune run study.yaml " + arguments)},
        "run.txt");
    ASSERT_TRUE(eventually([&] { return exists("started"); })) << said();
  }
  void go() { std::ofstream(folder_ / "go") << "yes"; }
  /// What the run that start() began has written.
  std::string said() const { return file_text(folder_ / "run.txt"); }
  bool says(const std::string& text) const {
    return eventually([&] { return said().find(text) != std::string::npos; });
  }
  /// Its exit status.
  int wait() { return wait_status(run_); }

  bool exists(const std::string& name) const { return std::filesystem::exists(folder_ / name); }

  TemporaryDirectory folder_;
  ProcessFamily family_{folder_.path()};
  pid_t run_ = 0;
};

}  // namespace betatune::support
