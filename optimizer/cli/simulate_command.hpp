#pragma once
/// `betatune simulate`: the protocol and the engine against faults, on a virtual clock.

#include <CLI/CLI.hpp>

namespace betatune {

void add_simulate_command(CLI::App& app, int& exit_code);

}  // namespace betatune
