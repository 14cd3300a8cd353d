#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/store.hpp"
#include "optimizer/verify.hpp"
#include "optimizer/verify_decisions.hpp"
#include "optimizer/version.hpp"

namespace betatune {
namespace {

struct Options {
  std::string study;
  bool verify = false;
  bool json = false;
};

struct Replayed {
  PlanLedger ledger;
  StudyState state;
  std::optional<Verification> verification;  ///< if it was asked for, as this:
  std::optional<DecisionVerification> decisions;
};

using Counts = std::map<std::string, std::int64_t>;

std::int64_t total(const Counts& counts) {
  std::int64_t sum = 0;
  for (const auto& [origin, count] : counts) sum += count;
  return sum;
}

/// "31 (gp 20, local 8, sobol 3)"
std::string counts_text(const Counts& counts) {
  std::string text = std::to_string(total(counts));
  const char* before = " (";
  for (const auto& [origin, count] : counts) {
    text += fmt::format("{}{} {}", before, origin, count);
    before = ", ";
  }
  return counts.empty() ? text : text + ")";
}

Result<Replayed> replay(const std::filesystem::path& directory, bool with_searcher) {
  BETATUNE_TRY(const auto store, open_sqlite_store(directory, OpenMode::read_only));
  Replayed out;
  // While the study runs, its log grows: what is read here ends where the first pass did.
  BETATUNE_TRY(out.ledger, read_plans(*store));
  BETATUNE_CHECK(for_each_event(*store, out.ledger.events,
                                [&](const Event& event) { return apply(out.state, event); }));
  if (with_searcher) {
    BETATUNE_TRY(out.verification, verify(*store, out.ledger));
    BETATUNE_TRY(out.decisions, verify_decisions(*store, out.ledger.events));
  }
  return out;
}

Json difference_json(const Difference& it) {
  return Json{{"trial", it.trial.n},
              {"plan", it.plan},
              {"parameter", it.parameter ? Json(it.what) : Json(nullptr)},
              {"what", it.what},
              {"recorded", it.recorded},
              {"recomputed", it.recomputed}};
}

Json decision_json(const std::optional<DecisionDifference>& it) {
  if (!it) return nullptr;
  return Json{{"trial", it->trial.n},
              {"attempt", it->attempt.n},
              {"recorded", it->recorded},
              {"recomputed", it->recomputed}};
}

Json replay_json(const Replayed& replayed, const std::string& study) {
  const PlanLedger& ledger = replayed.ledger;
  Json json{{"schema", "betatune.replay/1"},
            {"study", study},
            {"events", ledger.events},
            {"trials", replayed.state.trials.size()},
            {"state_hash", fmt::format("{:016x}", state_hash(replayed.state))},
            {"plans", ledger.plans.size()},
            {"suggested", ledger.suggested},
            {"by_hand", ledger.by_hand},
            {"not_verifiable", ledger.unrecorded},
            {"written_by", ledger.build},
            {"verification", nullptr},
            {"decisions", nullptr}};
  if (const auto& result = replayed.verification) {
    json["verification"] =
        Json{{"verified", result->verified},
             {"differing", result->differing},
             {"first_difference", result->first ? difference_json(*result->first) : Json(nullptr)}};
  }
  if (const auto& result = replayed.decisions) {
    json["decisions"] = Json{{"verified", result->verified},
                             {"differing", result->differing},
                             {"first_difference", decision_json(result->first)}};
  }
  return json;
}

void print_ledger(const Replayed& replayed, const std::string& study) {
  const PlanLedger& ledger = replayed.ledger;
  fmt::print("study        {}: {} events fold to {} trials, state {:016x}\n", study, ledger.events,
             replayed.state.trials.size(), state_hash(replayed.state));
  fmt::print("by hand      {}: nothing to compute\n", counts_text(ledger.by_hand));
  if (!ledger.unrecorded.empty()) {
    fmt::print("unknown      {}: not verifiable, written by an older version\n",
               counts_text(ledger.unrecorded));
  }
  fmt::print("suggestions  {} by {} plans", counts_text(ledger.suggested), ledger.plans.size());
}

void print_reason(const std::string& written_by) {
  if (written_by == build_version()) {
    fmt::print(stderr,
               "The log was changed after it was written, or another machine's mathematical "
               "library wrote it.\n");
  } else {
    fmt::print(stderr,
               "The log was written by {}, this is {}: searchers and schedulers differ between "
               "them.\n",
               written_by, build_version());
  }
}

void print_difference(const Verification& result) {
  const Difference& first = *result.first;
  fmt::print(stderr,
             "error: {} of {} suggestions are not what the searcher answers; the first one is\n"
             "  trial {} (plan {}), {} {}\n"
             "    recorded    {}\n"
             "    recomputed  {}\n",
             result.differing, result.differing + result.verified, first.trial.n, first.plan,
             first.parameter ? "parameter" : "its", first.what, first.recorded, first.recomputed);
}

void print_difference(const DecisionVerification& result) {
  const DecisionDifference& first = *result.first;
  fmt::print(stderr,
             "error: {} of {} decisions are not what the scheduler answers; the first one is of "
             "attempt {} of trial {}\n"
             "    recorded    {}\n"
             "    recomputed  {}\n",
             result.differing, result.differing + result.verified, first.attempt.n, first.trial.n,
             first.recorded, first.recomputed);
}

void print_replayed(const Replayed& replayed, const StudyPlace& place, const std::string& study) {
  print_ledger(replayed, study);
  if (!replayed.verification) {
    fmt::print("; `betatune replay {} --verify` computes them again\n", place.argument);
    return;
  }
  const Verification& result = *replayed.verification;
  fmt::print(": {} computed again and equal, bit for bit\n", result.verified);
  fmt::print("decisions    {} by the scheduler: {} computed again and equal\n",
             replayed.decisions->verified + replayed.decisions->differing,
             replayed.decisions->verified);
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  const auto replayed = replay(study->place.directory, options.verify);
  if (!replayed) return report_error(replayed.error(), WorksOn::study);
  options.json ? print_json(replay_json(replayed.value(), study->summary.name))
               : print_replayed(replayed.value(), study->place, study->summary.name);
  const auto& suggestions = replayed.value().verification;
  const auto& decisions = replayed.value().decisions;
  const bool changed = suggestions && suggestions->first, other = decisions && decisions->first;
  if (changed) print_difference(*suggestions);
  if (other) print_difference(*decisions);
  if (!changed && !other) return exit_codes::kDone;
  print_reason(replayed.value().ledger.build);
  return exit_codes::kStorage;
}

}  // namespace

void add_replay_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "replay",
      "Folds a study's log again, and proves that its suggestions follow from it.\n\n"
      "  betatune replay branin\n"
      "  betatune replay branin --verify\n\n"
      "Reads only; the study may run. Exit code 5 if a suggestion is not what the searcher "
      "answers, or a decision not what the scheduler does.\n");
  add_study_argument(*command, options->study);
  command->add_flag("--verify", options->verify,
                    "Ask the searcher again for every suggestion and the scheduler for every "
                    "decision, from what they knew then, and compare bit for bit.");
  add_json_flag(*command, options->json, "betatune.replay/1");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
