#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/study_schema.hpp"

namespace betatune {

void add_schema_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "schema",
      "Print the JSON Schema of study files.\n\n"
      "  betatune schema > study.schema.json\n"
      "  # yaml-language-server: $schema=study.schema.json   (first line of a study file)");
  command->callback([&exit_code] {
    fmt::print("{}\n", full_study_schema().dump(2));
    exit_code = exit_codes::kDone;
  });
}

}  // namespace betatune
