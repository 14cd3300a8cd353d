#include "optimizer/cli/width_simulation.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <optional>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/made_up_study.hpp"

namespace betatune {
namespace {

/// Means over the studies.
struct Row {
  std::string widths;
  double seconds = 0, slot_seconds = 0, best_seconds = 0, loss = 0;
};

std::vector<WhatIfGangs> gangs_of(const WidthSimulationOptions& options) {
  const ScalingFit scaling{options.serial, options.exchange, 0};
  std::vector<WhatIfGangs> all;
  for (const int ranks : options.widths) all.push_back({ranks, {}, scaling});
  WidthsSpec widths;
  widths.choices = options.widths;
  all.push_back({1, widths, scaling});
  return all;
}

std::string name_of(const WhatIfGangs& gangs) {
  if (gangs.widths) return std::string(to_name(gangs.widths->policy));
  return fmt::format("always {}", gangs.ranks);
}

/// Nothing if all is well.
std::string problem_of(const WidthSimulationOptions& options) {
  const std::vector<int>& widths = options.widths;
  const bool ascending = std::ranges::adjacent_find(widths, std::greater_equal<>()) == widths.end();
  if (widths.size() < 2 || widths.front() < 1 || !ascending) {
    return "--widths: two or more numbers of ranks, ascending, each once";
  }
  if (options.slots < widths.back()) {
    return fmt::format("--workers {}: at least the {} of the widest trial", options.slots,
                       widths.back());
  }
  const auto is_share = [](double number) { return number >= 0 && number <= 1; };
  if (!is_share(options.serial) || !is_share(options.exchange)) {
    return "--serial and --exchange are parts of a step: 0 to 1";
  }
  if (options.trials < 1 || options.steps < 2 || options.studies < 1) {
    return "--trials, --seeds: at least 1; --steps: at least 2";
  }
  return "";
}

Result<std::vector<RecordedStudy>> make_studies(const WidthSimulationOptions& options) {
  std::vector<RecordedStudy> studies;
  for (std::uint64_t i = 0; i < options.studies; ++i) {
    BETATUNE_TRY(RecordedStudy made,
                 made_up_study({options.first + i, options.trials, options.steps}));
    studies.push_back(std::move(made));
  }
  return studies;
}

Result<std::vector<RecordedStudy>> read_study_again(const OpenStudy& open) {
  BETATUNE_TRY(const auto store, open_sqlite_store(open.place.directory, OpenMode::read_only));
  BETATUNE_TRY(RecordedStudy recorded, read_recorded(*store, open.summary.events));
  std::vector<RecordedStudy> studies;
  studies.push_back(std::move(recorded));
  return studies;
}

Result<Row> play(const std::vector<RecordedStudy>& studies, const WidthSimulationOptions& options,
                 const WhatIfGangs& gangs) {
  Row row;
  row.widths = name_of(gangs);
  const auto count = static_cast<double>(studies.size());
  for (const RecordedStudy& study : studies) {
    const std::string scheduler =
        options.scheduler.empty() ? scheduler_name(*study.spec) : options.scheduler;
    BETATUNE_TRY(const WhatIf result, what_if(study, scheduler, options.slots, gangs));
    row.seconds += result.seconds / count;
    row.slot_seconds += result.busy_seconds / count;
    row.best_seconds += result.best_seconds / count;
    row.loss += (result.best ? result.best->loss : std::nan("")) / count;
  }
  return row;
}

Json row_json(const Row& row, const Objective& objective) {
  const bool has_best = std::isfinite(row.loss);
  return Json{{"widths", row.widths},
              {"seconds", row.seconds},
              {"slot_seconds", row.slot_seconds},
              {"best", has_best ? Json(objective.value(row.loss)) : Json(nullptr)},
              {"best_seconds", row.best_seconds}};
}

void print_rows(const std::vector<Row>& rows, const std::vector<RecordedStudy>& studies,
                const WidthSimulationOptions& options, const Objective& objective) {
  fmt::print("simulated: {} stud{} of {} trials on {} slots, a slot for each rank\n",
             studies.size(), studies.size() == 1 ? "y" : "ies", studies.front().trials.size(),
             options.slots);
  fmt::print("scaling: time per step 1/x + {} (1 - 1/x) + {} log2 x with x ranks\n\n",
             options.serial, options.exchange);
  Table table({"ranks", "time", "slot-hours", "found after", "best " + objective.metric});
  for (const Row& row : rows) {
    table.add({row.widths, duration_text(row.seconds),
               fmt::format("{:.2f}", row.slot_seconds / 3600), duration_text(row.best_seconds),
               std::isfinite(row.loss) ? short_number(objective.value(row.loss)) : "-"});
  }
  fmt::print("{}", table.text());
  if (studies.size() > 1) fmt::print("\nMeans over the studies.\n");
}

}  // namespace

int simulate_widths(const WidthSimulationOptions& options) {
  if (const std::string problem = problem_of(options); !problem.empty()) {
    fmt::print(stderr, "error: {}\n", problem);
    return exit_codes::kUsage;
  }
  int exit_code = exit_codes::kDone;
  std::optional<OpenStudy> open;
  if (!options.study.empty()) {
    open = open_study(options.study, exit_code);
    if (!open) return exit_code;
  }
  const auto studies = open ? read_study_again(*open) : make_studies(options);
  if (!studies) return report_error(studies.error(), WorksOn::study);
  std::vector<Row> rows;
  for (const WhatIfGangs& gangs : gangs_of(options)) {
    auto row = play(studies.value(), options, gangs);
    if (!row) return report_error(row.error(), WorksOn::study);
    rows.push_back(std::move(row).value());
  }
  const Objective objective = objective_of(studies.value().front().spec->document);
  if (!options.json) {
    print_rows(rows, studies.value(), options, objective);
    return exit_codes::kDone;
  }
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(row_json(row, objective));
  print_json({{"schema", "betatune.simulate_widths/1"},
              {"studies", studies.value().size()},
              {"slots", options.slots},
              {"serial", options.serial},
              {"exchange", options.exchange},
              {"rows", list}});
  return exit_codes::kDone;
}

}  // namespace betatune
