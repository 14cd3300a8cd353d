#include "optimizer/study_schema.hpp"

#include "configs/json_schema.hpp"
#include "optimizer/launcher.hpp"
#include "optimizer/scheduler.hpp"

namespace betatune {
namespace {

// Names that an editor may offer.
template <class Registry>
Json names_of(std::initializer_list<const char*> first) {
  Json names = Json::array();
  for (const char* each : first) names.push_back(each);
  for (const auto& [name, summary] : Registry::list()) names.push_back(name);
  return names;
}

// Beside a name stand the section's own keys, checked by the section's schema, and the options of
// what is named; nothing else.
Json options_beside(const Json& own_keys, Json options) {
  for (const auto& [key, schema] : own_keys.items()) options["properties"][key] = Json::object();
  return options;
}

// In a section that is "a name, or a mapping": what may stand in the mapping, by the name in it.
// `by_default` is the name that `auto`, or none, means.
template <class Registry>
void add_options(Json& section, const std::string& by_default) {
  Json& mapping = section["anyOf"][1];
  const Json own_keys = mapping["properties"];
  mapping["properties"]["name"]["examples"] = names_of<Registry>({"auto"});
  mapping["allOf"] = Json::array();
  for (const auto& [name, summary] : Registry::list()) {
    Json named = {{"properties", {{"name", {{"const", name}}}}}, {"required", {"name"}}};
    if (name == by_default) named = {{"properties", {{"name", {{"enum", {"auto", name}}}}}}};
    Json then = options_beside(own_keys, Registry::find(name)->options_schema());
    then["title"] = name;
    then["description"] = summary;
    mapping["allOf"].push_back({{"if", std::move(named)}, {"then", std::move(then)}});
  }
}

}  // namespace

Json full_study_schema() {
  Json schema = study_schema();
  Json& properties = schema["properties"];
  Json& algorithm = properties["algorithm"];
  StudySpec with_fidelity;
  with_fidelity.fidelity = FidelitySpec{.name = "step", .min = 1, .max = 2};
  add_options<SchedulerRegistry>(algorithm["anyOf"][1]["properties"]["scheduler"],
                                 scheduler_name(with_fidelity));
  add_options<SearcherRegistry>(algorithm, searcher_name(StudySpec{}));
  properties["launcher"]["properties"]["name"]["examples"] = names_of<LauncherRegistry>({});
  return schema;
}

}  // namespace betatune
