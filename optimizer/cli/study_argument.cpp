#include "optimizer/cli/study_argument.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

#include "configs/node.hpp"
#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/terminal.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDatabase = "study.db";

/// Names under runs/ that hold a study, for a suggestion.
std::vector<std::string> known_studies() {
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("runs", failed)) {
    if (fs::exists(entry.path() / kDatabase, failed)) names.push_back(entry.path().filename());
  }
  return names;
}

void say_unknown(const std::string& argument) {
  std::string text = fmt::format(
      "error: `{}` is neither a study file, nor a study's folder, nor the name of one under "
      "runs/\n",
      argument);
  if (const std::string near = closest(argument, known_studies()); !near.empty()) {
    text += fmt::format("  did you mean `{}`?\n", near);
  }
  std::fputs(text.c_str(), stderr);
}

std::string text_at(const ConfigNode& root, const char* section, const char* key) {
  const ConfigNode* mapping = root.find(section);
  const ConfigNode* value = mapping == nullptr ? nullptr : mapping->find(key);
  return value == nullptr ? std::string() : value->text();
}

/// Only the two keys that say where the study is: one that has run stays readable whatever has
/// become of the rest of its file.
std::optional<StudyPlace> from_file(const fs::path& file, int& exit_code) {
  if (file.filename() == kDatabase) {
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    return StudyPlace{folder, folder.string()};
  }
  Diagnostics diagnostics;
  const ConfigNode root = ConfigNode::load(file, diagnostics);
  exit_code = exit_codes::kInvalidConfig;
  if (!diagnostics.ok()) {
    std::fputs(diagnostics.render(wants_color(STDERR_FILENO)).c_str(), stderr);
    return std::nullopt;
  }
  const std::string path = text_at(root, "storage", "path");
  const std::string name = text_at(root, "study", "name");
  if (path.empty() && name.empty()) {
    fmt::print(stderr, "error: {}: not a study file: it has no `study: {{name: ...}}`\n",
               file.string());
    return std::nullopt;
  }
  exit_code = exit_codes::kDone;
  return StudyPlace{path.empty() ? fs::path("runs") / name : fs::path(path), file.string()};
}

}  // namespace

std::optional<StudyPlace> find_study(const std::string& argument, int& exit_code) {
  std::error_code failed;
  if (fs::is_directory(argument, failed)) return StudyPlace{argument, argument};
  if (fs::exists(argument, failed)) return from_file(argument, exit_code);
  const fs::path under_runs = fs::path("runs") / argument;
  if (!argument.empty() && fs::is_directory(under_runs, failed)) {
    return StudyPlace{under_runs, argument};
  }
  say_unknown(argument);
  exit_code = exit_codes::kUsage;
  return std::nullopt;
}

std::unique_ptr<StudyReader> open_study(const StudyPlace& place, int& exit_code) {
  std::error_code failed;
  if (!fs::exists(place.directory / kDatabase, failed)) {
    const bool is_file = fs::is_regular_file(place.argument, failed);
    fmt::print(stderr,
               "error: {}: this study has not been started\n  `betatune run {}` starts it\n",
               place.directory.string(), is_file ? place.argument : "STUDY.yaml");
    exit_code = exit_codes::kStorage;
    return nullptr;
  }
  auto reader = StudyReader::open(place.directory);
  if (reader) return std::move(reader).value();
  exit_code = report_error(reader.error());
  return nullptr;
}

int report_error(const Error& error) {
  fmt::print(stderr, "error: {}\n", error.message);
  return error.kind == ErrorKind::invalid_argument ? exit_codes::kUsage : exit_codes::kStorage;
}

}  // namespace betatune
