#include "optimizer/cli/watch_view.hpp"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <limits>

#include "optimizer/cli/decision_text.hpp"

namespace betatune {
namespace {

constexpr Sequence kEventsLookedAt = 5'000;
constexpr std::size_t kDecisionsShown = 6;
constexpr std::size_t kRunningShown = 8;
constexpr std::size_t kTrainersShown = 6;

/// Cut between characters, each of which is taken for one column.
std::string cut(const std::string& line, std::size_t columns) {
  std::size_t at = 0, shown = 0;
  const auto is_inside = [&](std::size_t i) {
    return (static_cast<unsigned char>(line[i]) & 0xC0) == 0x80;
  };
  while (at < line.size() && shown < columns) {
    ++shown;
    do ++at;
    while (at < line.size() && is_inside(at));
  }
  return line.substr(0, at);
}

std::string running_text(const StudyState& state, const Objective& objective) {
  if (state.running.empty()) return {};
  Table table({"trial", objective.step, "of", objective.metric, "trainer"});
  std::size_t left = state.running.size();
  for (const TrialId id : state.running) {
    if (state.running.size() - left == kRunningShown) break;
    const Trial& trial = state.trials[id];
    table.add({std::to_string(id.n), std::to_string(trial.step), std::to_string(trial.until),
               trial.loss ? short_number(objective.value(*trial.loss)) : "-", trial.trainer});
    --left;
  }
  return left == 0 ? table.text() : table.text() + fmt::format("and {} more\n", left);
}

/// The facts that are decided by nobody, or by a person; empty for the others.
std::string fact_text(const Event& event) {
  if (const auto* begun = std::get_if<StudyCreated>(&event.fact)) {
    return fmt::format("study {} begun (seed {})", begun->name, begun->seed);
  }
  if (const auto* started = std::get_if<OptimizerStarted>(&event.fact)) {
    return fmt::format("optimizer started for the {} time", ordinal(started->epoch));
  }
  if (std::holds_alternative<DocumentChanged>(event.fact)) return "the study file has changed";
  if (const auto* queued = std::get_if<ConfigurationEnqueued>(&event.fact)) {
    return "enqueued: " + configuration_text(queued->configuration, kConfigurationWidth);
  }
  if (const auto* created = std::get_if<TrialCreated>(&event.fact)) {
    return fmt::format("trial {} suggested by {}: {}", created->trial.n, created->origin,
                       configuration_text(created->configuration, kConfigurationWidth));
  }
  if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
    const int ranks = started->width ? started->width->ranks : 0;
    return fmt::format(
        "trial {} attempt {} began on {}, from {} to {}{}", started->trial.n, started->attempt.n,
        started->trainer, started->from, started->until,
        ranks == 0 ? "" : fmt::format(", with {} rank{}", ranks, ranks == 1 ? "" : "s"));
  }
  const auto* decided = std::get_if<Decided>(&event.fact);
  if (decided == nullptr || decided->by == "scheduler") return {};
  return fmt::format("trial {}: {} by {}{}{}", decided->trial.n, to_name(decided->action),
                     decided->by, decided->reason.empty() ? "" : ": ", decided->reason);
}

/// At the end of a study all that were paused end there: no news.
bool is_news(const std::optional<RungDecision>& decision) {
  return decision && decision->verdict != RungVerdict::not_taken;
}

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace

std::vector<std::string> lines_that_fit(const std::string& text, TerminalSize size) {
  std::vector<std::string> lines;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    lines.push_back(cut(text.substr(from, end - from), size.columns));
    from = end + 1;
  }
  const std::size_t rows = std::max<std::size_t>(size.rows, 2) - 1;
  if (lines.size() > rows) {
    lines.resize(rows);
    lines.back() = cut("... (more: a taller window, or betatune status)", size.columns);
  }
  return lines;
}

// ---- drawn -------------------------------------------------------------------------------------

Sequence DrawnView::decisions_wanted() const {
  return kEventsLookedAt;
}

void DrawnView::wait_for(const StudyPlace& place) {
  draw(fmt::format("study       {} has not begun; `betatune run {}` starts it\n",
                   place.directory.string(), place.argument));
}

void DrawnView::begin() {
  last_.clear();
  parts_ = {};
  parts_at_ = 0;
}

void DrawnView::on_event(const FollowedStudy&, const Event&,
                         const std::optional<RungDecision>& decision) {
  if (!is_news(decision)) return;
  last_.push_back(*decision);
  if (last_.size() > kDecisionsShown) last_.pop_front();
}

Status DrawnView::look(const FollowedStudy& study) {
  BETATUNE_TRY(const std::string text, text_of(study));
  draw(text);
  return Ok{};
}

std::string DrawnView::decisions(const Objective& objective) const {
  std::string text;
  for (const RungDecision& each : last_) {
    // Only the time of day.
    text +=
        fmt::format("{}  {}\n", utc_text(each.at_us).substr(11, 8), decision_text(each, objective));
  }
  return text;
}

Result<std::string> DrawnView::text_of(const FollowedStudy& study) {
  BETATUNE_TRY(const StudySummary summary, study.summary());
  if (parts_at_ != study.state().seq) {
    BETATUNE_TRY(parts_, read_status_parts(study.reader(), summary));
    parts_at_ = study.state().seq;
  }
  const Objective objective = objective_of(summary.document);
  const auto roster = roster_of(summary, study.place());
  const std::string budgets = budgets_text(budgets_of(stopping_of(summary.document), summary.used));
  std::string text =
      fmt::format("study       {} - {}\n", summary.name, headline(summary, study.place()));
  text += titled_block("trials", trials_text(summary));
  text += titled_block("budget", budgets);
  text += titled_block("best", best_text(summary, parts_));
  text += titled_block("running", running_text(study.state(), objective));
  if (parts_.rungs) text += titled_block("rungs", rungs_text(*parts_.rungs, objective));
  text += titled_block("decisions", decisions(objective));
  if (roster) text += titled_block("trainers", trainers_text(*roster, kTrainersShown));
  text += fmt::format("time        {} of work, last change {}\n",
                      duration_text(static_cast<double>(summary.active_us) / 1e6),
                      utc_text(summary.last_at_us));
  return text;
}

/// Over what was drawn before, in one write: nothing flickers.
void DrawnView::draw(const std::string& text) {
  std::string out = drawn_ == 0 ? "" : fmt::format("\r\033[{}A", drawn_);
  const std::vector<std::string> lines = lines_that_fit(text, terminal_size(descriptor_));
  for (const std::string& line : lines) out += line + "\033[K\n";
  say(out + "\033[J");
  std::fflush(stdout);
  drawn_ = lines.size();
}

// ---- lines -------------------------------------------------------------------------------------

Sequence LinesView::decisions_wanted() const {
  return std::numeric_limits<Sequence>::max();
}

void LinesView::wait_for(const StudyPlace& place) {
  if (told_to_wait_) return;
  told_to_wait_ = true;
  fmt::print(stderr, "{} has not begun; waiting for `betatune run {}`\n", place.directory.string(),
             place.argument);
}

void LinesView::on_event(const FollowedStudy& study, const Event& event,
                         const std::optional<RungDecision>& decision) {
  const StudyState& state = study.state();
  if (!text_ || std::holds_alternative<DocumentChanged>(event.fact)) {
    objective_ = objective_of(state.document);
    const bool has_steps = state.document.contains("fidelity");
    text_.emplace(objective_.all, has_steps ? std::optional(objective_.step) : std::nullopt);
  }
  if (json_) {
    say(json_text(event_json(event)) + "\n");
    if (decision) say(json_text(decision_json(*decision, objective_)) + "\n");
    return;
  }
  const std::string at = utc_text(event.at_us) + "  ";
  if (is_news(decision)) say(at + decision_text(*decision, objective_) + "\n");
  const bool told = is_news(decision) && decision->verdict == RungVerdict::went_on;
  std::string text = (*text_)(event, state);
  if (text.empty() && !told) text = fact_text(event);
  if (!text.empty()) say(at + text + "\n");
}

Status LinesView::look(const FollowedStudy& study) {
  std::fflush(stdout);
  BETATUNE_TRY(const StudySummary summary, study.summary());
  const bool stopped = summary.closed_reason.empty() && summary.optimizer_pid == 0;
  if (stopped && !told_of_stop_) {
    fmt::print(stderr, "no optimizer of this study runs here; waiting for `betatune run {}`\n",
               study.place().argument);
  }
  told_of_stop_ = stopped;
  return Ok{};
}

}  // namespace betatune
