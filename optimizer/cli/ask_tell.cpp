#include "optimizer/ask_tell.hpp"

#include <cstdio>
#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

struct Options {
  std::string file;
  bool memory = false;
  bool fresh = false;
  bool accept_changes = false;
};

/// One line without its end; what is beyond the limit of a message is read and left out, but for
/// the byte that makes the line too long. False at the end of the input.
bool read_line(std::string& line) {
  line.clear();
  int c = std::getc(stdin);
  if (c == EOF) return false;
  for (; c != EOF && c != '\n'; c = std::getc(stdin)) {
    if (line.size() <= static_cast<std::size_t>(limits::kMessageBytes)) {
      line.push_back(static_cast<char>(c));
    }
  }
  return true;
}

int converse(AskTell& study) {
  std::string line;
  while (!study.closed() && read_line(line)) {
    const std::string answer = study.answer(line) + "\n";
    const bool written = std::fwrite(answer.data(), 1, answer.size(), stdout) == answer.size() &&
                         std::fflush(stdout) == 0;
    if (!written) return exit_codes::kDone;  // the driver is gone; the study is stored
  }
  return exit_codes::kDone;
}

int run(const Options& options) {
  Diagnostics diagnostics;
  StudySpec loaded = load_study(options.file, diagnostics);
  if (!diagnostics.ok()) return report_problems(diagnostics);
  SessionOptions settings;
  settings.in_memory = options.memory;
  settings.fresh = options.fresh;
  settings.ahead = 0;  // an ask is answered when it is computed: nothing waits in between
  auto session = open_session(std::make_shared<const StudySpec>(std::move(loaded)), options.file,
                              settings, diagnostics);
  if (!diagnostics.ok()) return report_problems(diagnostics);
  if (!session) return report_error(session.error(), WorksOn::study_file);
  const std::vector<std::string>& changes = session.value().changes;
  if (!changes.empty() && !options.accept_changes) {
    return report_changes(changes, options.file, "ask-tell");
  }
  auto study = AskTell::open(std::move(session).value());
  if (!study) return report_error(study.error(), WorksOn::study_file);
  return converse(*study.value());
}

}  // namespace

void add_ask_tell_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "ask-tell",
      "The optimizer for any other driver: JSON lines on stdin, one in answer on stdout.\n\n"
      "  echo '{\"ask\": 1}' | betatune ask-tell study.yaml\n");
  command->add_option("STUDY.yaml", options->file, "The study file.")->required();
  command->add_flag("--memory", options->memory, "Keep nothing on disk.");
  command->add_flag("--fresh", options->fresh, "Begin again; the earlier study is set aside.");
  command->add_flag("--accept-changes", options->accept_changes,
                    "Go on although the study file has changed.");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
