// `trainer:`: exactly one kind, its placeholders, and the files that it names.

#include <algorithm>
#include <array>

#include "configs/study_reader.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

// What a command can ask for besides parameters; docs/study-file.md says what each is.
constexpr std::array kPlaceholders = {
    "params_file",    "config_file", "metrics_file", "scratch_dir", "study_dir",
    "checkpoint_dir", "resume_dir",  "trial",        "attempt",     "from",
    "until",          "seed",        "cpus",         "objective"};
// And where each rank is a process of it.
constexpr std::array<std::string_view, 2> kRankPlaceholders = {"rank", "ranks"};

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

// Braces around anything but a word are text (JSON, shell code).
bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_word_character);
}

void check_placeholders(const ConfigNode& argument, const std::vector<std::string>& known,
                        Diagnostics& diagnostics) {
  const std::string& text = argument.text();
  for (std::size_t open = text.find('{'); open != std::string::npos;
       open = text.find('{', open + 1)) {
    if (text.substr(open, 2) == "{{") {  // a brace that is meant as one
      ++open;
      continue;
    }
    const std::size_t close = text.find('}', open);
    if (close == std::string::npos) return;
    const std::string name = text.substr(open + 1, close - open - 1);
    if (!is_word(name) || std::find(known.begin(), known.end(), name) != known.end()) continue;
    const bool of_rank = std::ranges::find(kRankPlaceholders, name) != kRankPlaceholders.end();
    const std::string guess = closest(name, known);
    diagnostics.error("E0207", "`{" + name + "}` is neither a parameter nor a placeholder",
                      argument.mark_at(open, static_cast<int>(name.size()) + 2),
                      of_rank         ? "it is one with `trainer.processes: per-rank`"
                      : guess.empty() ? "see docs/study-file.md for the placeholders"
                                      : "did you mean `{" + guess + "}`?");
  }
}

bool has_slash(const std::string& text) {
  return text.find('/') != std::string::npos;
}

std::string absolute_text(const fs::path& path) {
  std::error_code error;
  const fs::path full = fs::absolute(path, error);
  return error ? path.string() : full.lexically_normal().string();
}

// Files beside the study file are meant; others are left as they are written.
void resolve_command(const ConfigNode& node, const ReadContext& context,
                     std::vector<std::string>& command) {
  for (std::size_t i = 0; i < command.size(); ++i) {
    std::string& argument = command[i];
    if (!has_slash(argument) || argument.find('{') != std::string::npos) continue;
    if (fs::path(argument).is_absolute()) continue;
    if (const auto found = find_beside(argument, context.directory)) {
      argument = absolute_text(*found);
    } else if (i == 0 && node.mark().line > 0) {
      context.diagnostics.error("E0207", "cannot find the command `" + argument + "`",
                                node.items()[i].mark(),
                                "looked beside the study file and in the working directory");
    }
  }
}

void check_command(const ConfigNode& node, const ReadContext& context,
                   std::vector<std::string> known, TrainerSpec& trainer) {
  std::vector<std::string>& command = *trainer.command;
  if (command.empty() || command[0].empty()) {
    context.diagnostics.error("E0207", "`trainer.command` is empty", node.mark(),
                              "write [program, argument, ...]");
    return;
  }
  known.insert(known.end(), kPlaceholders.begin(), kPlaceholders.end());
  if (trainer.has_ranks()) {
    known.insert(known.end(), kRankPlaceholders.begin(), kRankPlaceholders.end());
  }
  for (const ConfigNode& argument : node.items()) {
    if (argument.kind() == ConfigNode::Kind::string) {
      check_placeholders(argument, known, context.diagnostics);
    }
  }
  if (command.size() == node.items().size()) resolve_command(node, context, command);
}

void check_processes(const ConfigNode& node, const ReadContext& context,
                     const TrainerSpec& trainer) {
  const ConfigNode* processes = node.find("processes");
  if (processes == nullptr || trainer.command) return;
  context.diagnostics.error(
      "E0207", "`trainer.processes` has no use without a `command`", processes->mark(),
      trainer.plugin ? "leave it out: of a plug-in there is always one for each rank"
                     : "leave it out: external trainers start their processes themselves");
}

// A name is looked up by the trainer among its plug-ins; a path is of the study.
void check_plugin(const ConfigNode& node, const ReadContext& context, std::string& plugin) {
  if (plugin.empty()) {
    context.diagnostics.error("E0207", "`trainer.plugin` is empty", node.mark(),
                              "write the plug-in's name, or the path of its .so file");
    return;
  }
  if (!has_slash(plugin) && !plugin.ends_with(".so")) return;
  if (fs::path(plugin).is_absolute()) return;
  if (const auto found = find_beside(plugin, context.directory)) {
    plugin = absolute_text(*found);
  } else if (node.mark().line > 0) {
    context.diagnostics.error("E0207", "cannot find the plug-in `" + plugin + "`", node.mark(),
                              "looked beside the study file and in the working directory");
  }
}

}  // namespace

void check_trainer(const ConfigNode& root, const ReadContext& context,
                   const std::vector<std::string>& parameter_names, StudySpec& spec) {
  const ConfigNode* trainer = root.find("trainer");
  if (trainer == nullptr || trainer->kind() != ConfigNode::Kind::mapping) return;
  const bool external = spec.trainer.external.value_or(false);
  const int kinds = (trainer->find("plugin") != nullptr ? 1 : 0) +
                    (trainer->find("command") != nullptr ? 1 : 0) + (external ? 1 : 0);
  if (kinds != 1) {
    context.diagnostics.error(
        "E0207",
        kinds == 0 ? "`trainer` says nothing about what runs a trial"
                   : "`trainer` must have only one of plugin, command and external",
        trainer->mark(), "give one of `plugin: NAME`, `command: [...]` and `external: true`");
  }
  if (spec.trainer.command && trainer->find("command")->kind() == ConfigNode::Kind::sequence) {
    check_command(*trainer->find("command"), context, parameter_names, spec.trainer);
  }
  check_processes(*trainer, context, spec.trainer);
  if (spec.trainer.plugin) check_plugin(*trainer->find("plugin"), context, *spec.trainer.plugin);
  if (!spec.trainer.config.is_object()) {
    context.diagnostics.error("E0103", "`trainer.config` must be a mapping",
                              mark_at_path(root, "trainer.config"));
  }
}

}  // namespace betatune
