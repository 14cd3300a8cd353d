/// Plug-ins are loaded by the trainer's program, never by the optimizer: whatever their code does
/// on loading, it cannot reach a study.

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/launchers/trainer_program.hpp"

namespace betatune {
namespace {

/// Becomes `betatune-trainer plugin ...`; returns only if that cannot be started.
int run_trainer(const std::vector<std::string>& arguments) {
  const auto found = find_trainer_program();
  if (!found) {
    fmt::print(stderr, "error: {}\n", found.error().message);
    return exit_codes::kNoTrainer;
  }
  const std::string& program = found.value();
  std::vector<std::string> words{program, "plugin"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  fmt::print(stderr, "error: {}: {}\n", program, std::strerror(errno));
  return exit_codes::kNoTrainer;
}

}  // namespace

void add_plugin_command(CLI::App& app, int& exit_code) {
  CLI::App* plugin = app.add_subcommand("plugin",
                                        "Trainer plug-ins on this machine.\n\n"
                                        "  betatune plugin list\n"
                                        "  betatune plugin check ./my_trainer.so\n");
  plugin->require_subcommand(1);

  auto json = std::make_shared<bool>(false);
  CLI::App* list = plugin->add_subcommand("list", "Plug-ins that trainers find by name.");
  list->add_flag("--json", *json, "Print a JSON object.");
  const auto run = [json, &exit_code](std::vector<std::string> words) {
    if (*json) words.emplace_back("--json");
    exit_code = run_trainer(words);
  };
  list->callback([run] { run({"list"}); });

  auto path = std::make_shared<std::string>();
  CLI::App* check = plugin->add_subcommand("check", "Load a plug-in and test what it promises.");
  check->add_option("PLUGIN", *path, "A path ending in .so, or a name.")->required();
  check->add_flag("--json", *json, "Print a JSON object.");
  check->callback([run, path] { run({"check", *path}); });
}

}  // namespace betatune
