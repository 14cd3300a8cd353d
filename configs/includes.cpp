// `parameters: {include: [file, ...]}`: ready search spaces taken in by file.

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <unistd.h>

#include "configs/study_reader.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using Entry = ConfigNode::Entry;

constexpr const char* kInclude = "include";

// share/betatune of the installed program, or what BETATUNE_DATA_DIR says.
fs::path data_directory() {
  if (const char* set = std::getenv("BETATUNE_DATA_DIR"); set != nullptr && *set != '\0')
    return set;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  return program.parent_path().parent_path() / "share" / "betatune";
}

std::optional<fs::path> find_include(const fs::path& name, const fs::path& directory) {
  if (auto found = find_beside(name, directory)) return found;
  if (name.is_absolute()) return std::nullopt;
  const fs::path installed = data_directory();
  for (const fs::path& candidate : {installed / name, installed / "searchspaces" / name}) {
    std::error_code error;
    if (!installed.empty() && fs::is_regular_file(candidate, error)) return candidate;
  }
  return std::nullopt;
}

std::vector<ConfigNode> include_names(const ConfigNode& node, Diagnostics& diagnostics) {
  if (node.kind() == ConfigNode::Kind::string) return {node};
  if (node.kind() != ConfigNode::Kind::sequence) {
    read_detail::wrong_kind(node, "parameters.include", "a file name or a sequence of them",
                            diagnostics);
    return {};
  }
  std::vector<ConfigNode> names;
  for (const ConfigNode& item : node.items()) {
    std::string ignored;
    if (read_config(item, "parameters.include", diagnostics, ignored)) names.push_back(item);
  }
  if (names.size() > limits::kIncludes) {
    diagnostics.error("E0206", "more than " + std::to_string(limits::kIncludes) + " included files",
                      node.mark(), "join some of them");
    names.clear();
  }
  return names;
}

ConfigNode load_include(const ConfigNode& name, const ReadContext& context) {
  const auto path = find_include(name.text(), context.directory);
  if (!path) {
    context.diagnostics.error(
        "E0206", "cannot find the included file `" + name.text() + "`", name.mark(),
        "looked beside the study file, in the working directory and among the installed ones");
    return {};
  }
  ConfigNode included = ConfigNode::load(*path, context.diagnostics);
  if (included.is_null()) return {};
  if (included.kind() != ConfigNode::Kind::mapping) {
    context.diagnostics.error("E0206",
                              "an included file must be a mapping of parameters, found " +
                                  std::string(included.describe()),
                              included.mark(), "write `name: {type: float, ...}`");
    return {};
  }
  if (included.find(kInclude) != nullptr) {
    context.diagnostics.error("E0206", "an included file cannot include others",
                              included.find(kInclude)->mark(), "list all files in the study file");
  }
  return included.without({kInclude});
}

bool has(const std::vector<Entry>& entries, const std::string& key) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const Entry& entry) { return entry.key == key; });
}

}  // namespace

std::optional<fs::path> find_beside(const fs::path& name, const fs::path& directory) {
  const fs::path here = directory.empty() ? fs::path(".") : directory;
  for (const fs::path& candidate : {(here / name).lexically_normal(), name.lexically_normal()}) {
    std::error_code error;
    if (fs::exists(candidate, error)) return candidate;
  }
  return std::nullopt;
}

std::vector<Entry> collect_parameters(const ConfigNode& parameters, const ReadContext& context) {
  const std::vector<Entry> own = parameters.without({kInclude}).entries();
  std::vector<Entry> all;
  if (const ConfigNode* include = parameters.find(kInclude)) {
    for (const ConfigNode& name : include_names(*include, context.diagnostics)) {
      const ConfigNode included = load_include(name, context);
      for (const Entry& entry : included.entries()) {
        if (has(own, entry.key)) continue;
        if (has(all, entry.key)) {
          context.diagnostics.error(
              "E0206", "the parameter `" + entry.key + "` is in more than one included file",
              entry.key_mark, "declare it in the study file: own parameters win");
          continue;
        }
        all.push_back(entry);
      }
    }
  }
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

}  // namespace betatune
