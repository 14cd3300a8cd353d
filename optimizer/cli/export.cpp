#include <charconv>
#include <cstdio>
#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/schedule.hpp"
#include "optimizer/cli/study_argument.hpp"

namespace betatune {
namespace {

struct Options {
  std::string format;
  std::string study;
  bool observations = false;
  std::optional<std::string> schedule;  ///< of this trial; empty: of the best
};

/// RFC 4180: quoted only where it must be.
std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_value(const Json& object, const std::string& name) {
  const auto found = object.find(name);
  if (!object.is_object() || found == object.end() || found->is_null()) return "";
  return csv_text(found->is_string() ? found->get<std::string>() : found->dump());
}

template <class T>
std::string csv_number(const std::optional<T>& number) {
  return number ? fmt::format("{}", *number) : std::string();
}

std::string csv_time(const std::optional<std::int64_t>& at_us) {
  return at_us ? utc_text(*at_us) : std::string();
}

void put_line(const std::string& line) {
  fmt::print("{}\n", line);
}

Status trials_csv(StudyReader& reader, const Objective& objective) {
  BETATUNE_TRY(const auto parameters, reader.parameter_names());
  BETATUNE_TRY(const auto metrics, reader.metric_names());
  std::string header =
      "id,state,outcome,loss,value,violation,step,origin,attempts,failures,failure,checkpoint,"
      "created_at,"
      "started_at,ended_at,seconds";
  for (const std::string& name : parameters) header += "," + csv_text("params." + name);
  for (const std::string& name : metrics) header += "," + csv_text("metrics." + name);
  put_line(header);
  return reader.trials({}, [&](const TrialRow& trial) {
    const std::string value =
        trial.loss ? fmt::format("{}", objective.value(*trial.loss)) : std::string();
    std::string line = fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}", trial.id, trial.state,
        trial.outcome.value_or(""), csv_number(trial.loss), value, csv_number(trial.violation),
        trial.step, csv_text(trial.origin), trial.attempts, trial.failures,
        trial.failure.value_or(""), csv_text(trial.checkpoint.value_or("")),
        utc_text(trial.created_at_us), csv_time(trial.started_at_us), csv_time(trial.ended_at_us),
        csv_number(seconds_of(trial)));
    for (const std::string& name : parameters) line += "," + csv_value(trial.params, name);
    for (const std::string& name : metrics) line += "," + csv_value(trial.metrics, name);
    put_line(line);
    return true;
  });
}

Status trials_jsonl(StudyReader& reader, const Objective& objective) {
  return reader.trials({}, [&](const TrialRow& trial) {
    print_json(trial_json(trial, objective));
    return true;
  });
}

/// One line per metric of each report: the `observations` view.
void put_observations(const ReportRow& report, std::uint64_t trial, bool csv) {
  if (!csv) {
    print_json(Json{{"trial", trial},
                    {"attempt", report.attempt},
                    {"step", report.step},
                    {"loss", report.loss ? Json(*report.loss) : Json(nullptr)},
                    {"metrics", report.metrics},
                    {"at", utc_text(report.at_us)}});
    return;
  }
  for (const auto& [name, value] : report.metrics.items()) {
    put_line(fmt::format("{},{},{},{},{},{}", trial, report.attempt, report.step, csv_text(name),
                         value.dump(), utc_text(report.at_us)));
  }
}

Status observations(StudyReader& reader, bool csv) {
  if (csv) put_line("trial,attempt,step,metric,value,at");
  return reader.all_reports(true, [&](std::uint64_t trial, const ReportRow& report) {
    put_observations(report, trial, csv);
    return true;
  });
}

Result<TrialRow> scheduled_trial(StudyReader& reader, const std::string& wanted) {
  if (wanted.empty()) {
    BETATUNE_TRY(StudySummary summary, reader.summary());
    if (summary.best) return *std::move(summary.best);
    return Error{ErrorKind::invalid_argument, "no trial has a result yet"};
  }
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), id);
  if (error == std::errc{} && end == wanted.data() + wanted.size()) {
    BETATUNE_TRY(std::optional<TrialRow> trial, reader.trial(TrialId{id}));
    if (trial) return *std::move(trial);
  }
  return Error{ErrorKind::invalid_argument,
               fmt::format("there is no trial `{}`; betatune trials lists them", wanted)};
}

/// One line per stretch of steps under one configuration.
Status schedule(StudyReader& reader, const std::string& wanted, bool csv) {
  BETATUNE_TRY(TrialRow last, scheduled_trial(reader, wanted));
  BETATUNE_TRY(const auto stretches, read_schedule(reader, std::move(last)));
  if (!csv) {
    for (const Json& line : schedule_json(stretches)) print_json(line);
    return Ok{};
  }
  BETATUNE_TRY(const auto parameters, reader.parameter_names());
  std::string header = "from,until,trial";
  for (const std::string& name : parameters) header += "," + csv_text("params." + name);
  put_line(header);
  for (const Stretch& each : stretches) {
    std::string line = fmt::format("{},{},{}", each.from, each.until, each.trial.id);
    for (const std::string& name : parameters) line += "," + csv_value(each.trial.params, name);
    put_line(line);
  }
  return Ok{};
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  const Objective objective = objective_of(study->summary.document);
  const bool csv = options.format == "csv";
  const Status done = options.schedule       ? schedule(*study->reader, *options.schedule, csv)
                      : options.observations ? observations(*study->reader, csv)
                      : csv                  ? trials_csv(*study->reader, objective)
                                             : trials_jsonl(*study->reader, objective);
  if (!done) return report_error(done.error(), WorksOn::study);
  if (std::fflush(stdout) == 0) return exit_codes::kDone;
  fmt::print(stderr, "error: the output could not be written completely\n");
  return exit_codes::kStorage;
}

}  // namespace

void add_export_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("export",
                                         "All trials as a table, on stdout.\n\n"
                                         "  betatune export csv branin > trials.csv\n"
                                         "  betatune export jsonl branin --observations\n"
                                         "  betatune export jsonl population --schedule\n");
  command->add_option("FORMAT", options->format, "csv, or jsonl: one JSON object per line.")
      ->required()
      ->check(CLI::IsMember({"csv", "jsonl"}));
  add_study_argument(*command, options->study);
  CLI::Option* observed =
      command->add_flag("--observations", options->observations,
                        "What was reported at each step, instead of one row per trial.");
  command
      ->add_option(
          "--schedule", options->schedule,
          "Which configuration trained which steps of the best trial (or of the one given), "
          "where trials begin as copies of others (`pbt`).")
      ->option_text("[TRIAL]")
      ->expected(0, 1)
      ->default_str("")
      ->excludes(observed);
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
