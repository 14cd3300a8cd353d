#pragma once
/// The subcommands of `betatune`, one file each. Each adds itself to the application and, when it
/// is chosen, leaves what the process shall return in `exit_code`.
///
/// Data goes to stdout, talk to stderr; every reading command has --json with a versioned "schema".

#include <CLI/CLI.hpp>

namespace betatune {

/// The public exit codes.
namespace exit_codes {
inline constexpr int kDone = 0;
inline constexpr int kTooManyFailures = 1;
inline constexpr int kUsage = 2;
inline constexpr int kInvalidConfig = 3;
inline constexpr int kFencedOut = 4;
inline constexpr int kStorage = 5;
inline constexpr int kNoTrainer = 6;
inline constexpr int kAuthentication = 7;
inline constexpr int kLimitReached = 8;  ///< wall_time, gpu_hours, trainer_hours or steps
inline constexpr int kDrained = 75;
inline constexpr int kHardStop = 130;
inline constexpr int kBug = 70;
}  // namespace exit_codes

void add_check_command(CLI::App& app, int& exit_code);
void add_schema_command(CLI::App& app, int& exit_code);
void add_ask_tell_command(CLI::App& app, int& exit_code);
void add_simulate_command(CLI::App& app, int& exit_code);
void add_status_command(CLI::App& app, int& exit_code);
void add_watch_command(CLI::App& app, int& exit_code);
void add_trials_command(CLI::App& app, int& exit_code);
void add_show_command(CLI::App& app, int& exit_code);
void add_explain_command(CLI::App& app, int& exit_code);
void add_importance_command(CLI::App& app, int& exit_code);
void add_cost_command(CLI::App& app, int& exit_code);
void add_replay_command(CLI::App& app, int& exit_code);
void add_best_command(CLI::App& app, int& exit_code);
void add_export_command(CLI::App& app, int& exit_code);
void add_enqueue_command(CLI::App& app, int& exit_code);
void add_stop_command(CLI::App& app, int& exit_code);
void add_plugin_command(CLI::App& app, int& exit_code);
void add_logs_command(CLI::App& app, int& exit_code);
void add_key_command(CLI::App& app, int& exit_code);
void add_tck_command(CLI::App& app, int& exit_code);
void add_run_command(CLI::App& app, int& exit_code);
void add_scaling_command(CLI::App& app, int& exit_code);
void add_version_command(CLI::App& app, int& exit_code);

}  // namespace betatune
