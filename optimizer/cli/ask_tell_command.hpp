#pragma once
/// `betatune ask-tell`: JSON lines on stdin and stdout, for any other driver.

#include <CLI/CLI.hpp>

namespace betatune {

void add_ask_tell_command(CLI::App& app, int& exit_code);

}  // namespace betatune
