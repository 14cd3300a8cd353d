#pragma once
/// `betatune check` and `betatune schema`: looking at a study file without side effects.

#include <CLI/CLI.hpp>

namespace betatune {

void add_check_command(CLI::App& app, int& exit_code);
void add_schema_command(CLI::App& app, int& exit_code);

}  // namespace betatune
