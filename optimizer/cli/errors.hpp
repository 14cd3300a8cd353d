#pragma once
/// What goes wrong, said on stderr, and the exit code that it has: the one place that decides both.

#include <string>
#include <vector>

#include "configs/node.hpp"

namespace betatune {

/// What a command works on. An invalid argument is in the study file of a command that runs it, and
/// on the command line of one that looks at a study; what is not found is a trainer, or the study.
enum class WorksOn { study_file, study };

int exit_code_of(const Error& error, WorksOn subject);

/// Prints "error: ..." and returns the exit code of the error.
int report_error(const Error& error, WorksOn subject);

/// Prints every problem with its place and returns the exit code of an invalid study file.
int report_problems(const Diagnostics& diagnostics);

/// Prints in what the study file differs from the study as it was begun, and how `command` ("run")
/// goes on all the same.
int report_changes(const std::vector<std::string>& changes, const std::string& file,
                   const char* command);

}  // namespace betatune
