#pragma once
/// STUDY on the command line: a study file, a study's folder, or its name under runs/.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "optimizer/stores/study_reader.hpp"

namespace betatune {

struct StudyPlace {
  std::filesystem::path directory;  ///< with study.db inside, once it has started
  std::string argument;             ///< as the user wrote it, for the commands that messages show
};

/// Help text of the STUDY argument.
inline constexpr const char* kStudyHelp =
    "A study file, a study's folder, or its name under runs/.";

/// Says on stderr what is wrong, and sets `exit_code`, if there is no such study.
std::optional<StudyPlace> find_study(const std::string& argument, int& exit_code);

/// The study opened for reading; the same on errors.
std::unique_ptr<StudyReader> open_study(const StudyPlace& place, int& exit_code);

/// Prints "error: ..." to stderr and returns the exit code of that kind of error.
int report_error(const Error& error);

}  // namespace betatune
