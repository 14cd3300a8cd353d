#pragma once
/// A fake optimizer and a real betatune-trainer, with a folder of their own.

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "support/fake_optimizer.hpp"
#include "support/trainer_process.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune::test {

/// Of this build.
inline const std::string kTrainer = BETATUNE_BINARY_DIR "/bin/betatune-trainer";
inline const std::string kPlugins = BETATUNE_BINARY_DIR "/tests/plugins/";

struct TrainerBench {
  support::TemporaryDirectory folder;
  std::string endpoint = "ipc://" + (folder.path() / "socket").string();
  std::unique_ptr<FakeOptimizer> optimizer = std::make_unique<FakeOptimizer>(endpoint);
  std::unique_ptr<TrainerProcess> trainer;

  /// `program`: the build's betatune-trainer. Every process below it carries BETATUNE_TEST_MARK.
  void start(const std::string& program, std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.end(), {"--name", "trainer"});
    trainer =
        std::make_unique<TrainerProcess>(program, endpoint, std::move(arguments),
                                         std::vector<std::string>{"BETATUNE_TEST_MARK=" + mark()});
  }
  std::string mark() const { return folder.path().filename().string() + "-mark"; }

  Assign assign(std::uint64_t trial, const std::string& plugin) const {
    return make_assign(trial, plugin, folder.path());
  }
  Assign command(std::uint64_t trial, std::vector<std::string> argv) const {
    Assign made = make_assign(trial, "", folder.path());
    made.job.command = std::move(argv);
    return made;
  }
  /// A shell script as the command, in the bench's folder. `{x}` is a placeholder there.
  Assign script(std::uint64_t trial, const std::string& text) const {
    return command(trial, {"sh", "-c", text});
  }
  /// Assigns it and serves until everything is done.
  const Done& run(const Assign& made) {
    optimizer->assign(made);
    BETATUNE_ASSERT(optimizer->serve_all());
    return *optimizer->told(made.trial.n, made.attempt.n).done;
  }
  /// What a file of the bench's folder holds; "" if there is none.
  std::string text(const std::string& name) const { return support::file_text(folder / name); }
  /// Serves until a script has written this file.
  bool appears(const std::string& name) {
    return optimizer->serve_until([&] { return !text(name).empty(); });
  }
  /// Whether a program of this name is alive below the trainer, whatever its parents are by now.
  bool alive(const std::string& name) const {
    for (const pid_t pid : processes_with(mark())) {
      std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
      std::string found;
      if (file >> found && found == name) return true;
    }
    return false;
  }
  bool ends(const std::string& name) {
    return optimizer->serve_until([&] { return !alive(name); });
  }
  /// Until no process of this bench is left; false after 20 s.
  bool all_gone() {
    return optimizer->serve_until([this] { return processes_with(mark()).empty(); },
                                  std::chrono::seconds(20));
  }
};

}  // namespace betatune::test
