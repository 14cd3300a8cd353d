// The order of the reading; the steps are in the files named by study_reader.hpp.

#include "configs/study_spec.hpp"

#include <algorithm>

#include "configs/study_reader.hpp"

namespace betatune {
namespace {

constexpr const char* kParameterOrder = "parameter_order";

// JSON objects have no order; a document keeps that of the parameters beside them, because a
// searcher's columns follow it.
std::vector<ConfigNode::Entry> in_recorded_order(std::vector<ConfigNode::Entry> entries,
                                                 const ConfigNode& order) {
  const auto rank = [&](const ConfigNode::Entry& entry) {
    const auto found =
        std::find_if(order.items().begin(), order.items().end(),
                     [&](const ConfigNode& name) { return name.text() == entry.key; });
    return found - order.items().begin();
  };
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return entries;
}

Json document_of(const ConfigNode& root, const std::vector<ConfigNode::Entry>& parameters) {
  Json document = root.to_json();
  Json all = Json::object();
  Json order = Json::array();
  for (const ConfigNode::Entry& entry : parameters) {
    all[entry.key] = entry.value.to_json();
    order.push_back(entry.key);
  }
  document["parameters"] = std::move(all);
  document[kParameterOrder] = std::move(order);
  return document;
}

void take_sections(StudyFile& file, StudySpec& spec) {
  spec.study = std::move(file.study);
  spec.fidelity = std::move(file.fidelity);
  spec.stopping = file.stopping;
  spec.trials = file.trials;
  spec.noise = file.noise;
  spec.trainer = std::move(file.trainer);
  spec.launcher = std::move(file.launcher);
  spec.server = std::move(file.server);
  spec.storage = std::move(file.storage);
  if (spec.storage.path.empty()) spec.storage.path = "runs/" + spec.study.name;
}

void take_space(const StudyFile& file, const ConfigNode& root, const ConfigNode& order,
                const ReadContext& context, StudySpec& spec) {
  const ConfigNode& node = file.parameters;
  if (node.is_null() && root.find("parameters") == nullptr) return;  // already reported
  if (node.kind() != ConfigNode::Kind::mapping) {
    read_detail::wrong_kind(node, "parameters", "a mapping of parameters", context.diagnostics);
    return;
  }
  const std::size_t before = context.diagnostics.problems().size();
  const auto entries = in_recorded_order(collect_parameters(node, context), order);
  // With an include missing, whatever it would have declared looks unknown.
  const bool complete = context.diagnostics.problems().size() == before;
  if (complete) spec.space = read_space(entries, node, file.constraints, context.diagnostics);
  spec.document = document_of(root, entries);
  if (complete && context.diagnostics.problems().size() == before) {
    check_initial_points(spec.algorithm.initial, spec.space, context.diagnostics);
    add_default_point(spec.space, spec.algorithm.initial);
  }
  std::vector<std::string> names;
  for (const ConfigNode::Entry& entry : entries) names.push_back(entry.key);
  if (complete) check_trainer(root, context, names, spec);
  spec.outcome_constraints =
      read_outcome_constraints(file.outcome_constraints, names, context.diagnostics);
}

}  // namespace

const ConfigNode* node_at(const ConfigNode& root, std::string_view path) {
  const ConfigNode* node = &root;
  while (node != nullptr && !path.empty()) {
    const std::size_t end = std::min(path.find('.'), path.size());
    node = node->find(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return node;
}

Mark mark_at_path(const ConfigNode& root, std::string_view path) {
  while (true) {
    if (const ConfigNode* node = node_at(root, path)) return node->mark();
    const std::size_t dot = path.rfind('.');
    path = path.substr(0, dot == std::string_view::npos ? 0 : dot);
  }
}

StudySpec read_study(const ConfigNode& document, const std::filesystem::path& directory,
                     Diagnostics& diagnostics) {
  StudySpec spec;
  const ReadContext context{directory, diagnostics};
  ConfigNode order;
  ConfigNode root = document;
  // Only documents that betatune wrote itself hold the order apart.
  if (document.mark().line == 0 && document.find(kParameterOrder) != nullptr) {
    order = *document.find(kParameterOrder);
    root = document.without({kParameterOrder});
  }
  StudyFile file;
  read_config(root, "", diagnostics, file);
  if (root.kind() != ConfigNode::Kind::mapping) return spec;
  read_objectives(root, file, spec, diagnostics);
  take_sections(file, spec);
  spec.resources = read_resources(root, file.resources, spec.trainer.has_ranks(), diagnostics);
  spec.algorithm = read_algorithm(file.algorithm, diagnostics);
  take_space(file, root, order, context, spec);
  check_study(root, spec, diagnostics);
  return spec;
}

StudySpec load_study(const std::filesystem::path& path, Diagnostics& diagnostics) {
  const ConfigNode document = ConfigNode::load(path, diagnostics);
  if (document.is_null()) return {};
  return read_study(document, path.parent_path(), diagnostics);
}

}  // namespace betatune
