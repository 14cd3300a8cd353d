#include <fmt/format.h>

#include "configs/json_schema.hpp"
#include "optimizer/cli/check.hpp"
#include "optimizer/cli/commands.hpp"
#include "optimizer/launcher.hpp"
#include "optimizer/scheduler.hpp"

namespace betatune {
namespace {

// Names that an editor may offer; others are not wrong for the schema, since a registry grows.
template <class Registry>
Json examples(std::initializer_list<const char*> first) {
  Json names = Json::array();
  for (const char* each : first) names.push_back(each);
  for (const auto& [name, summary] : Registry::list()) names.push_back(name);
  return names;
}

Json schema_with_names() {
  Json schema = study_schema();
  Json& properties = schema["properties"];
  Json& algorithm = properties["algorithm"]["anyOf"][1]["properties"];
  algorithm["name"]["examples"] = examples<SearcherRegistry>({"auto"});
  algorithm["scheduler"]["anyOf"][1]["properties"]["name"]["examples"] =
      examples<SchedulerRegistry>({"auto"});
  properties["launcher"]["properties"]["name"]["examples"] = examples<LauncherRegistry>({});
  return schema;
}

}  // namespace

void add_schema_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "schema",
      "Print the JSON Schema of study files.\n\n"
      "  betatune schema > study.schema.json\n"
      "  # yaml-language-server: $schema=study.schema.json   (first line of a study file)");
  command->callback([&exit_code] {
    fmt::print("{}\n", schema_with_names().dump(2));
    exit_code = exit_codes::kDone;
  });
}

}  // namespace betatune
