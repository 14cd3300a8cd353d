#include "optimizer/cli/scaling_run.hpp"

#include <fmt/format.h>

namespace betatune {
namespace {

namespace fs = std::filesystem;

struct Opened {
  Bind bind;
  std::optional<StudySession> session;
};

Result<Opened> open(const WidthRun& run) {
  Opened opened;
  const fs::path directory = study_directory(*run.spec);
  BETATUNE_TRY(opened.bind, resolve_bind(run.spec->server.bind, directory, false));
  SessionOptions settings;
  settings.token = opened.bind.token;
  settings.launched_before = kLaunchedPrefix;
  Diagnostics diagnostics;
  BETATUNE_TRY(opened.session, open_session(run.spec, run.file, settings, diagnostics));
  return opened;
}

bool is_done(const StudySession& session) {
  const StudyState& state = session.coordinator->state();
  return state.closed_reason == "trials";
}

/// What an interrupt left goes on; the rest is no measurement of this.
bool is_of_use(const StudySession& session) {
  const StudyState& state = session.coordinator->state();
  return session.changes.empty() && state.failed_count() == 0;
}

Result<Opened> open_or_begin(const WidthRun& run) {
  const fs::path directory = study_directory(*run.spec);
  if (run.fresh) {
    BETATUNE_TRY([[maybe_unused]] const fs::path aside, set_study_aside(directory));
  }
  {
    BETATUNE_TRY(Opened earlier, open(run));
    if (is_of_use(*earlier.session)) return earlier;
  }
  BETATUNE_TRY([[maybe_unused]] const fs::path aside, set_study_aside(directory));
  return open(run);
}

}  // namespace

Result<std::string> train_width(const WidthRun& run) {
  BETATUNE_TRY(Opened opened, open_or_begin(run));
  StudySession& session = *opened.session;
  if (is_done(session)) return std::string("trials");
  Diagnostics diagnostics;
  const auto launcher = make_launcher(*run.spec, run.file, diagnostics);
  if (launcher == nullptr) {
    return Error{ErrorKind::invalid_argument, diagnostics.render(false)};
  }
  ServeOptions options;
  options.quiet = true;
  options.grace_s = run.grace_s;
  return serve_session(session, opened.bind, std::nullopt, launcher.get(), options);
}

Result<MeasuredWidth> read_width(const fs::path& folder, int ranks, std::optional<double> target) {
  MeasuredWidth width;
  width.ranks = ranks;
  BETATUNE_TRY(const std::unique_ptr<StudyReader> reader, StudyReader::open(folder));
  std::vector<TrialRow> trials;
  BETATUNE_CHECK(reader->trials({}, [&](const TrialRow& row) {
    trials.push_back(row);
    return true;
  }));
  for (const TrialRow& trial : trials) {
    if (trial.outcome != "completed") {
      return Error{
          ErrorKind::invalid_argument,
          fmt::format("{} rank{}: training {} ended as {}: {}; its log:  betatune logs {} {}",
                      ranks, ranks == 1 ? "" : "s", trial.id,
                      trial.failure.value_or(trial.outcome.value_or(trial.state)),
                      trial.message.value_or("no message"), folder.string(), trial.id)};
    }
    BETATUNE_TRY(const std::vector<AttemptRow> attempts, reader->attempts(TrialId{trial.id}));
    BETATUNE_TRY(const std::vector<ReportRow> reports, reader->reports(TrialId{trial.id}));
    const TrainingTimes times = training_times(attempts, reports, target);
    if (times.steps > 0) width.trainings.push_back(times);
  }
  if (!width.trainings.empty()) return width;
  return Error{ErrorKind::invalid_argument,
               fmt::format("{}: no training has reported anything to be timed", folder.string())};
}

}  // namespace betatune
