#include "optimizer/cli/errors.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/terminal.hpp"

namespace betatune {

int exit_code_of(const Error& error, WorksOn subject) {
  const bool runs = subject == WorksOn::study_file;
  switch (error.kind) {
    case ErrorKind::invalid_argument:
      return runs ? exit_codes::kInvalidConfig : exit_codes::kUsage;
    case ErrorKind::conflict:
      return runs ? exit_codes::kFencedOut : exit_codes::kStorage;
    case ErrorKind::not_found:
    case ErrorKind::timeout:
      return runs ? exit_codes::kNoTrainer : exit_codes::kStorage;
    case ErrorKind::corrupt:
    case ErrorKind::unavailable:
    case ErrorKind::unsupported:
      break;
  }
  return exit_codes::kStorage;
}

int report_error(const Error& error, WorksOn subject) {
  fmt::print(stderr, "error: {}\n", error.message);
  return exit_code_of(error, subject);
}

int report_problems(const Diagnostics& diagnostics) {
  fmt::print(stderr, "{}", diagnostics.render(wants_color(STDERR_FILENO)));
  return exit_codes::kInvalidConfig;
}

int report_changes(const std::vector<std::string>& changes, const std::string& file,
                   const char* command) {
  fmt::print(stderr, "error: {} differs from the study as it was begun:\n", file);
  for (const std::string& line : changes) fmt::print(stderr, "  {}\n", line);
  fmt::print(
      stderr,
      "Go on with these changes (old trials stay as data):  betatune {0} {1} --accept-changes\n"
      "Or begin again, with the old study set aside:        betatune {0} {1} --fresh\n",
      command, file);
  return exit_codes::kInvalidConfig;
}

}  // namespace betatune
