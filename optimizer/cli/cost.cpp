#include <fmt/format.h>
#include <limits>

#include "optimizer/budgets.hpp"
#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/rungs.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/cost_ledger.hpp"
#include "optimizer/replay.hpp"
#include "optimizer/requesters.hpp"
#include "optimizer/schedulers/rungs.hpp"
#include "optimizer/store.hpp"

namespace betatune {
namespace {

struct CostOptions {
  std::string study, by = "rung";
  bool json = false;
};

/// For the trials of an older version's log, beside those that somebody is known to have asked for.
constexpr const char* kNotRecorded = "(not recorded)";

/// Names by trial. Errors: invalid_argument where the log names nobody.
Result<std::vector<std::string>> read_users(const OpenStudy& study) {
  BETATUNE_TRY(const auto store, open_sqlite_store(study.place.directory, OpenMode::read_only));
  Requesters requesters;
  constexpr Sequence kAll = std::numeric_limits<Sequence>::max();
  BETATUNE_CHECK(for_each_event(*store, kAll, [&](const Event& event) -> Status {
    requesters.take(event);
    return Ok{};
  }));
  if (requesters.trials() > 0 && !requesters.any()) {
    return Error{ErrorKind::invalid_argument,
                 "--by user: the log does not say who asked for its trials, as it was written by "
                 "an older version, or under an account without a name; --by trainer says where "
                 "they ran"};
  }
  std::vector<std::string> names;
  for (std::uint64_t n = 0; n < requesters.trials(); ++n) {
    names.push_back(requesters.of(TrialId{n}).value_or(kNotRecorded));
  }
  return names;
}

/// What an attempt was trained to: where trials run on past rungs, one that was stopped on the way
/// came to the last of them that it passed.
Step trained_to(const AttemptRow& row, const RungPlan& plan) {
  const bool pauses = !plan.levels.empty() && !plan.passing;
  if (pauses || row.end != "stopped") return row.until;
  const Step came_to = row.from + row.trained;
  const int rung = rung_at(plan.levels, came_to);
  return rung < 0 ? came_to : plan.levels[static_cast<std::size_t>(rung)];
}

/// Attempts that run count up to the last event of the log.
Result<CostLedger> read_ledger(const OpenStudy& study, CostBy by) {
  CostLedger ledger(by, full_budget_of(study.summary.document));
  const RungPlan plan = rung_plan(study.summary.document);
  std::vector<std::string> users;
  if (by == CostBy::user) {
    BETATUNE_TRY(users, read_users(study));
  }
  // The log may have grown in between.
  const auto user_of = [&](std::uint64_t trial) {
    return trial < users.size() ? users[trial] : std::string(kNotRecorded);
  };
  BETATUNE_CHECK(
      study.reader->all_attempts([&](const TrialOfAttempt& trial, const AttemptRow& row) {
        ledger.add({trial.id, row.trainer, trial.origin, row.from, trained_to(row, plan),
                    row.from + row.trained, static_cast<double>(row.work_us) / 1e6,
                    !row.end || (*row.end != "failed" && *row.end != "lost"),
                    static_cast<int>(row.gpus), static_cast<int>(row.ranks.value_or(1)),
                    user_of(trial.id)});
        return true;
      }));
  BETATUNE_TRY(const auto replacements, read_replacements(*study.reader, study.summary));
  for (const auto& [trial, other] : replacements) ledger.replaced(trial);
  return ledger;
}

Json cost_json(const Cost& cost) {
  return Json{{"attempts", cost.attempts},
              {"steps", cost.steps},
              {"seconds", cost.seconds},
              {"gpu_seconds", cost.gpu_seconds},
              {"slot_seconds", cost.slot_seconds}};
}

Json ledger_json(const CostLedger& ledger, const std::string& by, const std::string& study) {
  Json groups = Json::array();
  for (const auto& [key, cost] : ledger.groups()) {
    Json group = cost_json(cost);
    const bool is_number = by == "rung" || by == "trial";
    group[by] = is_number ? Json(key.first) : Json(key.second);
    groups.push_back(std::move(group));
  }
  Json saved = cost_json(ledger.saved());
  saved["trials"] = saved.at("attempts");
  saved.erase("attempts");
  return Json{{"schema", "betatune.cost/1"},
              {"study", study},
              {"by", by},
              {"groups", groups},
              {"total", cost_json(ledger.total())},
              {"failed", cost_json(ledger.failed())},
              {"again", cost_json(ledger.again())},
              {"saved", saved}};
}

/// What is told of each attempt beside its time.
struct Columns {
  bool gpus = false, slots = false;
};

std::vector<std::string> row_of(const std::string& name, const Cost& cost, Columns columns) {
  std::vector<std::string> row = {name, std::to_string(cost.attempts), std::to_string(cost.steps),
                                  duration_text(cost.seconds)};
  if (columns.slots) row.push_back(duration_text(cost.slot_seconds));
  if (columns.gpus) row.push_back(fmt::format("{:.2f}", cost.gpu_seconds / 3600));
  return row;
}

void print_saved(const CostLedger& ledger) {
  const Cost& again = ledger.again();
  if (again.attempts > 0) {
    fmt::print("\n{} attempts began again below where their trial had been: {} steps, {}.\n",
               again.attempts, again.steps, duration_text(again.seconds));
  }
  const Cost saved = ledger.saved();
  if (saved.attempts == 0) return;
  if (saved.steps < 0) {
    fmt::print(
        "\n{} trials were not trained to the end, which saved less than that: {} steps more "
        "than without.\n",
        saved.attempts, -saved.steps);
    return;
  }
  fmt::print("\n{} trials were not trained to the end: {} steps, about {} saved{}.\n",
             saved.attempts, saved.steps, duration_text(saved.seconds),
             again.attempts > 0 ? " in all" : "");
}

void print_ledger(const CostLedger& ledger, CostBy by, const Objective& objective,
                  const Json& document) {
  // Slots say nothing more than time where every attempt takes one.
  const Columns columns{gpus_of(document) > 0,
                        ledger.total().slot_seconds != ledger.total().seconds};
  const std::string title = by == CostBy::rung ? "to " + objective.step : std::string(to_name(by));
  std::vector<std::string> header = {title, "attempts", "steps", "time"};
  if (columns.slots) header.emplace_back("slot-time");
  if (columns.gpus) header.emplace_back("GPU-hours");
  Table table(std::move(header));
  for (const auto& [key, cost] : ledger.groups()) table.add(row_of(key.second, cost, columns));
  table.add(row_of("all", ledger.total(), columns));
  fmt::print("{}", table.text());
  const Cost& failed = ledger.failed();
  if (failed.attempts > 0) {
    fmt::print("\n{} attempts failed or were lost: {} steps, {}.\n", failed.attempts, failed.steps,
               duration_text(failed.seconds));
  }
  print_saved(ledger);
}

int show_cost(const CostOptions& options, int& exit_code) {
  const auto by = from_name<CostBy>(options.by);
  if (!by) {
    fmt::print(stderr, "error: --by {}: there are rung, trial, trainer, origin and user\n",
               options.by);
    return exit_codes::kUsage;
  }
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  const auto ledger = read_ledger(*study, *by);
  if (!ledger) return report_error(ledger.error(), WorksOn::study);
  if (options.json) {
    print_json(ledger_json(ledger.value(), options.by, study->summary.name));
  } else {
    print_ledger(ledger.value(), *by, objective_of(study->summary.document),
                 study->summary.document);
  }
  return exit_codes::kDone;
}

}  // namespace

void add_cost_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand(
      "cost",
      "What a study has cost, and what was saved by not training everything to the end.\n\n"
      "  betatune cost fashion-mnist\n"
      "  betatune cost fashion-mnist --by trial\n");
  const auto options = std::make_shared<CostOptions>();
  add_study_argument(*command, options->study);
  command->add_option(
      "--by", options->by,
      "rung (the step trained to; default), trial, trainer, origin or user (who asked "
      "for it).");
  add_json_flag(*command, options->json, "betatune.cost/1");
  command->callback([options, &exit_code] { exit_code = show_cost(*options, exit_code); });
}

}  // namespace betatune
