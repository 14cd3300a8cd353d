#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/front.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/schedule.hpp"
#include "optimizer/cli/study_argument.hpp"

namespace betatune {
namespace {

/// Of the best trial; nothing where none has a result.
Result<std::vector<Stretch>> best_schedule(const OpenStudy& study) {
  if (!study.summary.best) return std::vector<Stretch>();
  return read_schedule(*study.reader, *study.summary.best);
}

Json best_json(const StudySummary& study, const StudyPlace& place,
               const std::vector<Stretch>& schedule) {
  const Objective objective = objective_of(study.document);
  Json model = nullptr;
  if (study.best_model) model = (place.directory / *study.best_model).string();
  return Json{
      {"schema", "betatune.best/1"},
      {"study", study.name},
      {"objective",
       {{"metric", objective.metric}, {"goal", objective.maximize ? "maximize" : "minimize"}}},
      {"best", best_trial_json(study, objective)},
      {"schedule", schedule_json(schedule)},
      {"model", model}};
}

void print_best(const StudySummary& study, const StudyPlace& place,
                const std::vector<Stretch>& schedule) {
  const Objective objective = objective_of(study.document);
  const TrialRow& best = *study.best;
  if (best.violation != 0) {
    fmt::print("no trial meets the outcome constraints; this one breaks them least\n");
  }
  fmt::print("{}\n", best_value_text(study, objective));
  for (const std::string& limit : broken_limits(best, objective)) {
    fmt::print("  breaks {}\n", limit);
  }
  print_section("configuration", best.params);
  if (schedule.size() > 1) {
    fmt::print("\nschedule (it goes on from copies of other trials)\n{}",
               schedule_text(schedule, objective.step));
  }
  print_section("metrics", best.metrics);
  if (study.best_model) {
    fmt::print("\nmodel\n  {}\n", (place.directory / *study.best_model).string());
  }
}

/// With several objectives there is a front in the place of the best.
int show_front(const OpenStudy& study, const Objective& objective, bool json) {
  const auto front = read_front(*study.reader, objective);
  if (!front) return report_error(front.error(), WorksOn::study);
  if (json) {
    Json document = front_json(front.value(), objective);
    document["schema"] = "betatune.pareto/1";
    document["study"] = study.summary.name;
    document["objectives"] = encode_json(objective.all);
    print_json(document);
  } else if (front.value().members.empty()) {
    fmt::print(
        stderr, "{}: no trial has a result{} yet ({} trials so far)\n", study.summary.name,
        objective.outcomes.constraints().empty() ? "" : " that meets the outcome constraints",
        study.summary.trials());
  } else {
    fmt::print("{}\n{} trials that no other one beats in everything; hypervolume {}\n",
               front_table(front.value(), objective), front.value().members.size(),
               short_number(front.value().front.hypervolume));
  }
  return exit_codes::kDone;
}

int show_best(const OpenStudy& study, bool json) {
  const Objective objective = objective_of(study.summary.document);
  if (objective.all.size() > 1) return show_front(study, objective, json);
  const auto schedule = best_schedule(study);
  if (!schedule) return report_error(schedule.error(), WorksOn::study);
  if (json) {
    print_json(best_json(study.summary, study.place, schedule.value()));
  } else if (study.summary.best) {
    print_best(study.summary, study.place, schedule.value());
  } else {
    fmt::print(stderr, "{}: no trial has a result yet ({} trials so far)\n", study.summary.name,
               study.summary.trials());
  }
  return exit_codes::kDone;
}

}  // namespace

void add_best_command(CLI::App& app, int& exit_code) {
  add_showing_command(
      app, exit_code, "best",
      "The best trial: its configuration, metrics and model. With several objectives, the trials "
      "that no other one beats in everything.\n\n  betatune best fashion-mnist\n",
      show_best);
}

}  // namespace betatune
