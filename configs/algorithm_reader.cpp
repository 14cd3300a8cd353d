// `algorithm:`: the searcher and the scheduler by name (their options are read by their makers),
// and the configurations tried first.

#include <algorithm>
#include <set>

#include "configs/node_data.hpp"
#include "configs/study_reader.hpp"

namespace betatune {
namespace {

using Kind = ConfigNode::Kind;

// The own keys of a described struct, as a mapping of only those and one without them.
template <class Fields>
std::vector<std::string> keys_of() {
  std::vector<std::string> keys;
  std::apply([&](const auto&... field) { (keys.emplace_back(field.name), ...); }, Fields::fields());
  return keys;
}

// Unknown keys are options of the policy: its maker reports them.
template <class Fields>
bool read_known(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
                Fields& into) {
  const std::vector<std::string> own = keys_of<Fields>();
  std::vector<std::string> others;
  for (const ConfigNode::Entry& entry : node.entries()) {
    if (std::find(own.begin(), own.end(), entry.key) == own.end()) others.push_back(entry.key);
  }
  return read_config(node.without(others), path, diagnostics, into);
}

// The options of a policy: what stands beside its name, with the mark of the name, so that what is
// wrong with the policy as a whole points there.
ConfigNode options_of(const ConfigNode& node, const std::vector<std::string>& own_keys) {
  auto data = ConfigNodeBuilder::look(node.without(own_keys));
  if (node.kind() == Kind::string) data = {Kind::mapping, node.mark(), {}, {}, 0, {}, {}};
  if (const ConfigNode* name = node.find("name")) data.mark = name->mark();
  return ConfigNodeBuilder::make(std::move(data));
}

bool check_name(const ConfigNode& node, const std::string& path, const std::string& name,
                Diagnostics& diagnostics) {
  if (!name.empty()) return true;
  diagnostics.error("E0205", "`" + path + "` is empty", node.mark(), "write `auto` or a name");
  return false;
}

PolicySpec read_scheduler(const ConfigNode& node, Diagnostics& diagnostics) {
  SchedulerFields fields;
  if (node.is_null()) return {fields.name, {}};
  if (node.kind() == Kind::string) {
    check_name(node, "algorithm.scheduler", node.text(), diagnostics);
    return {node.text(), options_of(node, {})};
  }
  read_known(node, "algorithm.scheduler", diagnostics, fields);
  check_name(node, "algorithm.scheduler.name", fields.name, diagnostics);
  return {fields.name, options_of(node, keys_of<SchedulerFields>())};
}

std::optional<Configuration> read_point(const ConfigNode& node, const std::string& path,
                                        Diagnostics& diagnostics) {
  std::map<std::string, Value> values;
  if (!read_config(node, path, diagnostics, values)) return std::nullopt;
  return values;
}

// SearchSpace::complete tells one problem a line, beginning with a parameter's name in backquotes.
Mark point_mark(const ConfigNode& point, const std::string& line) {
  const std::size_t end = line.starts_with('`') ? line.find('`', 1) : std::string::npos;
  if (end == std::string::npos) return point.mark();
  const std::string name = line.substr(1, end - 1);
  for (const ConfigNode::Entry& entry : point.entries()) {
    if (entry.key == name) return entry.key_mark;
  }
  return point.mark();
}

TransferSpec read_transfer(TransferSpec given, Diagnostics& diagnostics) {
  TransferSpec out;
  std::set<std::string> names;
  std::size_t index = 0;
  for (ConfigNode& each : given.studies) {
    const std::string path = "algorithm.transfer.studies[" + std::to_string(index++) + "]";
    std::string name;
    if (!read_config(each, path, diagnostics, name)) continue;
    if (name.empty() || !names.insert(name).second) {
      diagnostics.error("E0205", "`" + path + "` is empty or named before", each.mark(),
                        "name the folder of every study once");
      continue;
    }
    out.studies.push_back(std::move(each));
  }
  return out;
}

}  // namespace

AlgorithmSpec read_algorithm(const ConfigNode& node, Diagnostics& diagnostics) {
  AlgorithmFields fields;
  AlgorithmSpec spec;
  spec.searcher.name = fields.name;
  spec.scheduler = read_scheduler({}, diagnostics);
  if (node.is_null()) return spec;
  if (node.kind() == Kind::string) {
    check_name(node, "algorithm", node.text(), diagnostics);
    spec.searcher = {node.text(), options_of(node, {})};
    return spec;
  }
  // Reserved for a later version, so no searcher's option.
  read_detail::check_planned(node, "algorithm", diagnostics);
  read_known(node, "algorithm", diagnostics, fields);
  check_name(node, "algorithm.name", fields.name, diagnostics);
  spec.searcher = {fields.name, options_of(node, keys_of<AlgorithmFields>())};
  spec.scheduler = read_scheduler(fields.scheduler, diagnostics);
  spec.initial = std::move(fields.initial);
  if (fields.transfer) spec.transfer = read_transfer(*std::move(fields.transfer), diagnostics);
  return spec;
}

void check_initial_points(const InitialSpec& initial, const SearchSpace& space,
                          Diagnostics& diagnostics) {
  std::size_t index = 0;
  for (const ConfigNode& node : initial.points) {
    const std::string path = "algorithm.initial.points[" + std::to_string(index++) + "]";
    const auto point = read_point(node, path, diagnostics);
    if (!point) continue;
    const auto complete = space.complete(*point);
    if (complete) continue;
    std::string_view rest = complete.error().message;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      const std::string line(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.empty()) continue;
      diagnostics.error("E0204", "`" + path + "`: " + line, point_mark(node, line));
    }
  }
}

void add_default_point(const SearchSpace& space, InitialSpec& initial) {
  const auto parameters = space.parameters();
  const bool any = std::any_of(parameters.begin(), parameters.end(), [](const Parameter& each) {
    return each.default_value.has_value();
  });
  const auto defaults = any ? space.complete({}) : Error{};
  if (!defaults) return;
  Diagnostics reported;  // a point that cannot be read was reported before
  for (const ConfigNode& node : initial.points) {
    const auto point = read_point(node, "", reported);
    const auto complete = point ? space.complete(*point) : Error{};
    if (complete && complete.value() == defaults.value()) return;
  }
  initial.points.insert(initial.points.begin(), ConfigNode::from_json(Json::object(), ""));
}

}  // namespace betatune
