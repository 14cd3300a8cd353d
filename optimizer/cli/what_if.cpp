#include "optimizer/cli/what_if.hpp"

#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/what_if.hpp"

namespace betatune {
namespace {

struct Row {
  std::string scheduler;
  WhatIf result;
};

Json row_json(const Row& row, const Objective& objective) {
  const WhatIf& it = row.result;
  Json json{{"scheduler", row.scheduler},
            {"seconds", it.seconds},
            {"busy_seconds", it.busy_seconds},
            {"steps", it.steps},
            {"best", it.best ? Json(objective.value(it.best->loss)) : Json(nullptr)},
            {"best_step", it.best ? Json(it.best->level) : Json(nullptr)},
            {"best_seconds", it.best_seconds},
            {"full", it.full},
            {"beyond", it.beyond}};
  if (objective.all.size() == 1) return json;
  json["front"] = it.front;
  json["hypervolume"] = it.hypervolume ? Json(*it.hypervolume) : Json(nullptr);
  return json;
}

/// What the scheduler has found: two cells.
std::vector<std::string> found_cells(const WhatIf& it, const Objective& objective) {
  if (objective.all.size() > 1) {
    return {std::to_string(it.front), it.hypervolume ? short_number(*it.hypervolume) : "-"};
  }
  if (!it.best) return {"-", "-"};
  return {fmt::format("{} (step {})", short_number(objective.value(it.best->loss)), it.best->level),
          duration_text(it.best_seconds)};
}

void print_rows(const std::vector<Row>& rows, const RecordedStudy& study,
                const Objective& objective, int workers) {
  fmt::print("{} recorded trials, {} at a time\n\n", study.trials.size(), workers);
  const bool several = objective.all.size() > 1;
  Table table({"scheduler", "time", objective.step + "s",
               several ? "front" : "best " + objective.metric,
               several ? "hypervolume" : "found after", "trained to the end"});
  int beyond = 0;
  for (const Row& row : rows) {
    const WhatIf& it = row.result;
    beyond = std::max(beyond, it.beyond);
    const std::vector<std::string> found = found_cells(it, objective);
    table.add({row.scheduler, duration_text(it.seconds), std::to_string(it.steps), found[0],
               found[1], std::to_string(it.full)});
  }
  fmt::print("{}", table.text());
  if (beyond == 0) return;
  fmt::print(
      "\nUp to {} of the trials are asked for more than is recorded of them; they keep their last "
      "{}.\nA study under `scheduler: fifo` has every curve to its end.\n",
      beyond, objective.metric);
}

/// Those asked for, or all that take such a study.
std::vector<std::string> names_of(const WhatIfOptions& options, const StudySpec& recorded) {
  if (!options.schedulers.empty()) return options.schedulers;
  std::vector<std::string> all;
  StudySpec spec = recorded;
  spec.algorithm.scheduler.options = ConfigNode();
  spec.resources.widths.reset();  // every trial takes a worker here
  for (const auto& [name, summary] : SchedulerRegistry::list()) {
    spec.algorithm.scheduler.name = name;
    Diagnostics ignored;
    const auto made = make_scheduler(spec, ignored);
    if (made != nullptr && !made->copies()) all.push_back(name);
  }
  return all;
}

}  // namespace

int show_what_if(const WhatIfOptions& options) {
  if (options.workers < 1) {
    fmt::print(stderr, "error: --workers {}: at least 1\n", options.workers);
    return exit_codes::kUsage;
  }
  int exit_code = exit_codes::kDone;
  const auto open = open_study(options.study, exit_code);
  if (!open) return exit_code;
  const auto store = open_sqlite_store(open->place.directory, OpenMode::read_only);
  if (!store) return report_error(store.error(), WorksOn::study);
  const auto study = read_recorded(*store.value(), open->summary.events);
  if (!study) return report_error(study.error(), WorksOn::study);
  std::vector<Row> rows;
  for (const std::string& name : names_of(options, *study.value().spec)) {
    auto result = what_if(study.value(), name, options.workers);
    if (!result) return report_error(result.error(), WorksOn::study);
    rows.push_back({name, std::move(result).value()});
  }
  const Objective objective = objective_of(open->summary.document);
  if (!options.json) {
    print_rows(rows, study.value(), objective, options.workers);
    return exit_codes::kDone;
  }
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(row_json(row, objective));
  print_json({{"schema", "betatune.what_if/1"},
              {"study", open->summary.name},
              {"trials", study.value().trials.size()},
              {"workers", options.workers},
              {"schedulers", list}});
  return exit_codes::kDone;
}

}  // namespace betatune
