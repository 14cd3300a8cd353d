#pragma once
/// STUDY on the command line: a study file, a study's folder, or its name under runs/; and what the
/// commands that look at a study share.

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "optimizer/stores/study_reader.hpp"

namespace betatune {

struct StudyPlace {
  std::filesystem::path directory;  ///< with study.db inside
  std::string argument;             ///< as the user wrote it, for the commands that messages show
};

/// A study opened for reading.
struct OpenStudy {
  StudyPlace place;
  std::unique_ptr<StudyReader> reader;
  StudySummary summary;
};

/// Where the argument says that the study is, or will be once it has begun. Says on stderr what is
/// wrong, and sets `exit_code`, if it says no such thing.
std::optional<StudyPlace> find_study(const std::string& argument, int& exit_code);
/// Errors: not_found if it has not begun; the reader's.
Result<OpenStudy> open_study_at(StudyPlace place);
/// Both. Says on stderr what is wrong, and sets `exit_code`, if there is no such study.
std::optional<OpenStudy> open_study(const std::string& argument, int& exit_code);

/// The argument STUDY of a command.
void add_study_argument(CLI::App& command, std::string& study);
/// --json, for a document of this schema ("betatune.best/1").
void add_json_flag(CLI::App& command, bool& json, const char* schema);

/// A command that takes STUDY and --json, and does nothing but show the study.
using ShowStudy = int (*)(const OpenStudy& study, bool json);
void add_showing_command(CLI::App& app, int& exit_code, const char* name, const char* help,
                         ShowStudy show);

}  // namespace betatune
