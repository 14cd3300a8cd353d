#include "trainers/cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "searchspaces/limits.hpp"
#include "trainers/agent.hpp"
#include "trainers/cli/plugin_command.hpp"
#include "trainers/trainer_name.hpp"
#include "transport/endpoint.hpp"

namespace betatune {
namespace {

struct Options {
  std::string endpoint, token_file, key_file, name, plugin, own_folder;
  int slots = 1;
  double patience_s = 3'600;
  double grace_s = 10;
  bool json = false;
};

int run(const Options& options) {
  Result<std::string> token = std::string();
  if (!options.token_file.empty()) token = read_token(options.token_file);
  if (!token) {
    std::fprintf(stderr, "betatune-trainer: --token-file: %s\n", token.error().message.c_str());
    return kExitUsage;
  }
  AgentSetup setup;
  setup.endpoint = options.endpoint;
  if (!options.key_file.empty()) {
    auto key = read_trainer_key(options.key_file);
    if (!key) {
      std::fprintf(stderr, "betatune-trainer: --key: %s\n", key.error().message.c_str());
      return kExitUsage;
    }
    setup.key = std::move(key).value();
  }
  setup.files = {options.own_folder, !options.own_folder.empty()};
  setup.kill_grace = Milliseconds(static_cast<std::int64_t>(options.grace_s * 1'000));
  setup.options.name = options.name.empty() ? trainer_name() : options.name;
  if (setup.key) setup.options.name = name_with_key(setup.key->name, setup.options.name);
  setup.options.token = token.value();
  setup.options.slots = options.slots;
  setup.options.patience = Milliseconds(static_cast<std::int64_t>(options.patience_s * 1'000));
  return run_agent(setup);
}

void describe(CLI::App& app, Options& options) {
  app.set_version_flag("--version", "betatune-trainer " BETATUNE_VERSION);
  app.add_option("--connect", options.endpoint,
                 "The optimizer's address: ipc://PATH or tcp://HOST:PORT");
  app.add_option("--token-file", options.token_file, "File with the study's token");
  app.add_option("--key", options.key_file,
                 "Key file, for an optimizer on another machine (betatune key new)");
  app.add_option("--slots", options.slots,
                 "Trials to run at once; ranks, where a study has choices of them")
      ->check(CLI::Range(1, limits::kSlotsPerTrainer));
  app.add_option("--name", options.name, "Name among the study's trainers (default: host-process)");
  app.add_option("--patience", options.patience_s,
                 "Seconds without an optimizer before it gives up with status 75; 0: never")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--grace", options.grace_s,
                 "Seconds from SIGTERM to SIGKILL of a trial's processes")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--own-folder", options.own_folder,
                 "Keep the files of trials below this folder and exchange checkpoints with the\n"
                 "optimizer, even where the study's folder is seen here (default: only where it\n"
                 "is not, in the folder for temporary files)");
  CLI::App* plugin =
      app.add_subcommand("plugin", "Look at trainer plug-ins")->require_subcommand(1);
  CLI::App* list = plugin->add_subcommand("list", "The plug-ins that a study can name");
  CLI::App* check = plugin->add_subcommand("check", "Load a plug-in and say what it is");
  check->add_option("plugin", options.plugin, "Name, or path of a .so file")->required();
  for (CLI::App* each : {list, check}) each->add_flag("--json", options.json, "Machine-readable");
}

}  // namespace

int trainer_cli(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Runs the trials of a Betatune study on this machine.\n\n"
      "  betatune-trainer --connect ipc:///path/to/socket\n"
      "  betatune-trainer plugin list\n",
      "betatune-trainer");
  describe(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (app.got_subcommand("plugin")) {
    const CLI::App* plugin = app.get_subcommand("plugin");
    return plugin->got_subcommand("list") ? plugin_list(options.json)
                                          : plugin_check(options.plugin, options.json);
  }
  if (options.endpoint.empty()) {
    std::fprintf(stderr, "betatune-trainer: --connect URL is required; see --help\n");
    return kExitUsage;
  }
  return run(options);
}

}  // namespace betatune
