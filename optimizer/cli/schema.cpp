#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/protocol_schema.hpp"
#include "optimizer/study_schema.hpp"

namespace betatune {

void add_schema_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "schema",
      "Print the JSON Schema of study files, or of the trainer protocol.\n\n"
      "  betatune schema > study.schema.json\n"
      "  # yaml-language-server: $schema=study.schema.json   (first line of a study file)\n"
      "  betatune schema --protocol > btp1.schema.json");
  const auto protocol = std::make_shared<bool>(false);
  command->add_flag("--protocol", *protocol,
                    "Of the messages of BTP/1, by verb (docs/protocol.md).");
  command->callback([protocol, &exit_code] {
    const Json schema = *protocol ? protocol_schema() : full_study_schema();
    fmt::print("{}\n", schema.dump(2));
    exit_code = exit_codes::kDone;
  });
}

}  // namespace betatune
