#include "optimizer/version.hpp"

#include <iostream>

#include "optimizer/cli/commands.hpp"

namespace betatune {

void add_version_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("version", "Print the version.");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print a JSON object.");
  command->callback([json, &exit_code] {
    if (*json) {
      std::cout << R"({"schema":"betatune.version/1","version":")" << build_version() << "\"}\n";
    } else {
      std::cout << "betatune " << build_version() << "\n";
    }
    exit_code = exit_codes::kDone;
  });
}

}  // namespace betatune
