/// `betatune`: one file per subcommand in cli/.

#include "optimizer/cli/commands.hpp"
#include "optimizer/freed_memory.hpp"

namespace {

constexpr const char* kDescription =
    "Betatune: tunes the hyper-parameters of training jobs.\n\n"
    "  betatune check study.yaml     what is wrong with a study file, and what it means\n"
    "  betatune run study.yaml       start a study, or go on with it\n"
    "  betatune status study.yaml    how far it is\n"
    "  betatune watch study.yaml     the same while it runs, drawn again and again\n"
    "  betatune best study.yaml      the best configuration, and where its model is\n\n"
    "`betatune COMMAND --help` shows a command's options, with examples.\n";

/// Lists subcommands by the first line of what they say of themselves; the rest is their own help.
class BriefFormatter : public CLI::Formatter {
 public:
  std::string make_subcommand(const CLI::App* command) const override {
    const std::string text = command->get_description();
    std::stringstream line;
    CLI::detail::format_help(line, command->get_name(), text.substr(0, text.find('\n')),
                             column_width_);
    return line.str();
  }
};

}  // namespace

int main(int argc, char** argv) {
  using namespace betatune;
  keep_freed_memory();
  CLI::App app{kDescription, "betatune"};
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  int exit_code = exit_codes::kDone;
  app.formatter(std::make_shared<BriefFormatter>());
  add_check_command(app, exit_code);
  add_key_command(app, exit_code);
  add_run_command(app, exit_code);
  add_scaling_command(app, exit_code);
  add_status_command(app, exit_code);
  add_watch_command(app, exit_code);
  add_best_command(app, exit_code);
  add_trials_command(app, exit_code);
  add_show_command(app, exit_code);
  add_logs_command(app, exit_code);
  add_explain_command(app, exit_code);
  add_importance_command(app, exit_code);
  add_cost_command(app, exit_code);
  add_replay_command(app, exit_code);
  add_export_command(app, exit_code);
  add_enqueue_command(app, exit_code);
  add_stop_command(app, exit_code);
  add_ask_tell_command(app, exit_code);
  add_simulate_command(app, exit_code);
  add_tck_command(app, exit_code);
  add_plugin_command(app, exit_code);
  add_schema_command(app, exit_code);
  add_version_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 prints help to stdout and problems to stderr; its own numbers are not our exit codes.
    return app.exit(error) == 0 ? exit_codes::kDone : exit_codes::kUsage;
  }
  return exit_code;
}
