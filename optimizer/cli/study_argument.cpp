#include "optimizer/cli/study_argument.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

#include "configs/study_spec.hpp"
#include "optimizer/cli/commands.hpp"

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

std::optional<StudyPlace> from_file(const fs::path& file, int& exit_code) {
  if (file.filename() == kDatabase) return StudyPlace{file.parent_path(), file.parent_path()};
  Diagnostics diagnostics;
  const StudySpec spec = load_study(file, diagnostics);
  if (diagnostics.ok()) return StudyPlace{spec.storage.path, file.string()};
  std::fputs(diagnostics.render(::isatty(STDERR_FILENO) != 0).c_str(), stderr);
  exit_code = exit_codes::kInvalidConfig;
  return std::nullopt;
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
