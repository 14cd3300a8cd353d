#include "trainers/torch/distributed/asynchronous/registry.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {
namespace {

struct Entry {
  std::string summary;
  StrategyFactory factory;
};

std::map<std::string, Entry>& table() {
  static std::map<std::string, Entry> entries;
  return entries;
}

}  // namespace

Registration::Registration(const char* name, const char* summary, StrategyFactory factory) {
  table()[name] = {summary, factory};
}

std::vector<RuleName> strategies() {
  std::vector<RuleName> names;
  for (const auto& [name, entry] : table()) names.push_back({name, entry.summary});
  return names;
}

Configured read_strategy(const std::string& json, int workers) {
  engine::Fields fields(json, "distributed setting");
  Configured out;
  out.name = fields.text("strategy", "downpour");
  const auto found = table().find(out.name);
  if (found == table().end()) {
    std::string names;
    for (const auto& [name, entry] : table()) names += (names.empty() ? "" : ", ") + name;
    fields.fail("strategy", '"' + out.name + "\"; it must be one of " + names);
  }
  if (workers < 1) fields.fail("workers", std::to_string(workers) + "; it must be at least 1");
  out.strategy = found->second.factory(fields, workers);
  const auto bound = fields.optional_integer("staleness_bound", 0, 1'000'000);
  if (bound && out.strategy->synchronous()) {
    fields.fail("staleness_bound", std::to_string(*bound) + ", but with strategy: " + out.name +
                                       " all workers go in step; leave it out");
  }
  if (bound) out.staleness_bound = static_cast<std::uint64_t>(*bound);
  fields.finish();
  auto object = nlohmann::json::parse(json.empty() ? "{}" : json);
  if (object.is_null()) object = nlohmann::json::object();
  object["strategy"] = out.name;
  object["workers"] = workers;
  out.identity = object.dump();
  return out;
}

}  // namespace betatune::distributed::asynchronous
