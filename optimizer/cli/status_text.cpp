#include "optimizer/cli/status_text.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

#include "optimizer/cli/output.hpp"
#include "transport/plain_text.hpp"

namespace betatune {
namespace {

std::string best_trial_text(const StudySummary& study) {
  if (!study.best) return "none yet: no trial has a result";
  const Objective objective = objective_of(study.document);
  const TrialRow& best = *study.best;
  return fmt::format("{}{}\n{}", best_value_text(study, objective),
                     best.violation == 0 ? "" : "; " + limits_text(best, objective),
                     assignments_text(best.params));
}

std::string front_text(const ShownFront& shown) {
  if (shown.members.empty()) return "none yet: no completed trial that meets all limits";
  return front_summary(shown.front);
}

/// A line, or nothing where all was well.
std::string refused_text(const Refused& refused) {
  std::string text;
  const auto part = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, what);
  };
  for (const auto& [code, count] : refused.by_code) part(count, code);
  part(refused.unread, "dropped unread");
  part(refused.parts, "parts of files dropped");
  part(refused.unsent, "not sent to trainers that do not read");
  part(refused.turned_away, "connections with a key that is not allowed");
  return text.empty() ? text : "messages refused: " + text + "\n";
}

}  // namespace

Result<StatusParts> read_status_parts(StudyReader& reader, const StudySummary& study) {
  StatusParts parts;
  const Objective objective = objective_of(study.document);
  if (objective.all.size() > 1) {
    BETATUNE_TRY(parts.front, read_front(reader, objective));
  }
  BETATUNE_TRY(parts.rungs, read_rungs(reader, study));
  return parts;
}

StoppingSpec stopping_of(const Json& document) {
  StoppingSpec stopping;
  Diagnostics ignored;
  if (document.contains("stopping")) {
    read_config(ConfigNode::from_json(document.at("stopping"), ""), "stopping", ignored, stopping);
  }
  return stopping;
}

std::optional<SeenRoster> roster_of(const StudySummary& study, const StudyPlace& place) {
  if (study.optimizer_pid == 0) return std::nullopt;
  return read_roster(place.directory);
}

std::int64_t count_of(const std::map<std::string, std::int64_t>& counts, const char* key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

std::string headline(const StudySummary& study, const StudyPlace& place) {
  if (!study.closed_reason.empty()) return "finished (" + study.closed_reason + ")";
  if (study.optimizer_pid != 0) {
    return fmt::format("running (process {})", study.optimizer_pid);
  }
  return fmt::format("stopped; `betatune run {}` goes on with it", place.argument);
}

std::string trials_text(const StudySummary& study) {
  const std::optional<std::int64_t> budget = stopping_of(study.document).trials;
  std::string text = budget ? fmt::format("{} of {}", study.trials() - study.confirmations, *budget)
                            : fmt::format("{}", study.trials());
  std::string parts;
  const auto part = [&](std::int64_t number, const char* name) {
    if (number > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", number, name);
  };
  for (const char* name : {"completed", "stopped", "cancelled", "failed"}) {
    part(count_of(study.by_outcome, name), name);
    if (std::string_view(name) != "failed" || study.by_failure.empty()) continue;
    std::string classes;
    for (const auto& [kind, number] : study.by_failure) {
      classes += fmt::format("{}{} {}", classes.empty() ? "" : ", ", kind, number);
    }
    parts += " (" + classes + ")";
  }
  for (const char* name : {"running", "paused", "waiting"})
    part(count_of(study.by_state, name), name);
  part(study.enqueued, "enqueued");
  part(study.confirmations, "made beside them to confirm the best");
  return parts.empty() ? text : text + ": " + parts;
}

/// A line for each file on its way; it says so where one stands still.
std::string files_text(const SeenTrainer& trainer) {
  constexpr double kMiB = 1 << 20;
  constexpr double kStill_s = 10;
  std::string text;
  for (const SeenFile& each : trainer.files) {
    text += fmt::format("  {} {}/{}: {:.1f} of {:.1f} MiB{}\n", to_name(each.way), each.folder,
                        plain_text(each.path), static_cast<double>(each.bytes) / kMiB,
                        static_cast<double>(each.size) / kMiB,
                        each.still_s < kStill_s
                            ? ""
                            : fmt::format(", no further for {}", duration_text(each.still_s)));
  }
  return text;
}

/// What it runs, with the slots of what takes several.
std::string work_text(const SeenTrainer& trainer) {
  if (trainer.trials.empty()) return "idle";
  std::string text = "trial ";
  for (std::size_t i = 0; i < trainer.trials.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", trainer.trials[i]);
    const int taken = i < trainer.taken.size() ? trainer.taken[i] : 1;
    if (taken > 1) text += fmt::format(" ({} ranks)", taken);
  }
  return text;
}

std::string trainers_text(const SeenRoster& roster, std::size_t shown) {
  if (roster.trainers.empty()) return "none connected\n" + refused_text(roster.refused);
  int slots = 0;
  int busy = 0;
  for (const SeenTrainer& each : roster.trainers) {
    slots += each.slots;
    busy += std::accumulate(each.taken.begin(), each.taken.end(), 0);
  }
  std::string text =
      fmt::format("{} connected, {} of {} slots busy; given up after {} of silence\n",
                  roster.trainers.size(), busy, slots, duration_text(roster.lease_s));
  for (std::size_t i = 0; i < std::min(shown, roster.trainers.size()); ++i) {
    const SeenTrainer& each = roster.trainers[i];
    text += fmt::format("{}: {} slot{}, {}{}, heard {:.1f} s ago\n", each.name, each.slots,
                        each.slots == 1 ? "" : "s", work_text(each),
                        each.leaving ? ", leaving" : "", each.silent_s);
    text += files_text(each);
  }
  if (roster.trainers.size() > shown) {
    text += fmt::format("and {} more (--json has all)\n", roster.trainers.size() - shown);
  }
  return text + refused_text(roster.refused);
}

std::string titled_block(const char* title, const std::string& text) {
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    out += fmt::format("{:<12}{}\n", from == 0 ? title : "", text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

std::string best_text(const StudySummary& study, const StatusParts& parts) {
  return parts.front ? front_text(*parts.front) : best_trial_text(study);
}

}  // namespace betatune
