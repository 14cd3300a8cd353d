#include "optimizer/importance.hpp"

#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/replay.hpp"

namespace betatune {
namespace {

Result<Importance> measure(const OpenStudy& study) {
  BETATUNE_TRY(const auto store, open_sqlite_store(study.place.directory, OpenMode::read_only));
  PlanReplay replay(spec_of_document);
  BETATUNE_CHECK(for_each_event(*store, study.summary.events,
                                [&](const Event& event) { return replay.apply(event); }));
  Result<Importance> out = Error{ErrorKind::invalid_argument, ""};
  BETATUNE_CHECK(
      replay.now([&](const History& history, const Searcher&) { out = importance(history); }));
  return out;
}

Json share_json(const Share& share) {
  return Json{{"value", share.value}, {"low", share.low}, {"high", share.high}};
}

Json importance_json(const Importance& it, const std::string& study) {
  Json parameters = Json::array();
  for (const ParameterImportance& each : it.parameters) {
    parameters.push_back({{"name", each.name},
                          {"active", each.active},
                          {"main", share_json(each.main)},
                          {"total", share_json(each.total)},
                          {"inverse_lengthscale", each.inverse_lengthscale}});
  }
  return Json{{"schema", "betatune.importance/1"},
              {"study", study},
              {"results", it.results},
              {"noise", it.noise},
              {"parameters", parameters}};
}

std::string share_text(const Share& share) {
  return fmt::format("{:5.1f} % ({:.1f} to {:.1f})", 100 * share.value, 100 * share.low,
                     100 * share.high);
}

void print_importance(const Importance& it) {
  Table table({"parameter", "by itself", "with interactions", "active", "1/length-scale"});
  for (const ParameterImportance& each : it.parameters) {
    table.add({each.name, share_text(each.main), share_text(each.total),
               fmt::format("{:.0f} %", 100 * each.active),
               fmt::format("{:.3g}", each.inverse_lengthscale)});
  }
  fmt::print("{}", table.text());
  fmt::print(
      "\nShares of the variance of the modelled loss, of {} results, where the parameter is "
      "active;\nin brackets what the results leave possible (5 % to 95 %). Variance of the "
      "noise: {:.3g}.\n",
      it.results, it.noise);
}

int show_importance(const OpenStudy& study, bool json) {
  const auto measured = measure(study);
  if (!measured) return report_error(measured.error(), WorksOn::study);
  json ? print_json(importance_json(measured.value(), study.summary.name))
       : print_importance(measured.value());
  return exit_codes::kDone;
}

}  // namespace

void add_importance_command(CLI::App& app, int& exit_code) {
  add_showing_command(app, exit_code, "importance",
                      "Which parameters matter, by the model of all finished trials.\n\n"
                      "  betatune importance branin\n",
                      show_importance);
}

}  // namespace betatune
