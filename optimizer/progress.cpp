#include "optimizer/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

#include "optimizer/cli/event_text.hpp"
#include "optimizer/cli/front.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/terminal.hpp"
#include "optimizer/pace.hpp"
#include "optimizer/pareto/study_front.hpp"
#include "optimizer/standings.hpp"

namespace betatune {
namespace {

using Clock = Pace::Clock;

std::optional<std::string> step_name(const StudySpec& spec) {
  if (!spec.fidelity) return std::nullopt;
  return spec.fidelity->name;
}

class Quiet final : public ServerObserver {
 public:
  void on_events(std::span<const Event>, const Coordinator&) override {}
  void on_tick(const Coordinator&, const std::vector<LaunchedTrainer>&) override {}
  void on_notice(const std::string& text) override { fmt::print(stderr, "{}\n", text); }
};

class JsonEvents final : public ServerObserver {
 public:
  void on_events(std::span<const Event> events, const Coordinator&) override {
    for (const Event& event : events) {
      const std::string line = json_text(event_json(event)) + "\n";
      std::fwrite(line.data(), 1, line.size(), stdout);
    }
    std::fflush(stdout);
  }
  void on_tick(const Coordinator&, const std::vector<LaunchedTrainer>&) override {}
  void on_notice(const std::string& text) override { fmt::print(stderr, "{}\n", text); }
};

/// A line per event, and one per minute that says where the study is.
class Lines : public ServerObserver {
 public:
  explicit Lines(const StudySpec& spec) : spec_(spec), text_(spec.objectives, step_name(spec)) {}

  void on_events(std::span<const Event> events, const Coordinator& coordinator) override {
    for (const Event& event : events) {
      const std::string line = text_(event, coordinator.state());
      if (!line.empty()) say(line);
      const auto* ended = std::get_if<AttemptEnded>(&event.fact);
      if (ended != nullptr && ended->end == AttemptEnd::lost) ++lost_;
    }
    watch(coordinator.state());
  }
  void on_tick(const Coordinator& coordinator, const std::vector<LaunchedTrainer>&) override {
    watch(coordinator.state());
    if (Clock::now() - last_summary_ < std::chrono::minutes(1)) return;
    last_summary_ = Clock::now();
    say(summary(coordinator));
  }
  void on_notice(const std::string& text) override { say(text); }

 protected:
  virtual void say(const std::string& line) { fmt::print(stderr, "{}\n", line); }

  /// Trials that there will be, as far as is known: the budget, and what confirms the best.
  std::int64_t total(const StudyState& state) const {
    return spec_.stopping.trials.value_or(0) + (spec_.stopping.trials ? state.confirmations : 0);
  }

  std::string summary(const Coordinator& coordinator) const {
    const StudyState& state = coordinator.state();
    std::string text =
        fmt::format("{}{} done, {} running", state.closed_count(),
                    spec_.stopping.trials ? fmt::format(" of {}", total(state)) : std::string(),
                    state.running.size());
    if (!state.paused.empty()) text += fmt::format(", {} paused", state.paused.size());
    if (!state.waiting.empty()) text += fmt::format(", {} waiting", state.waiting.size());
    if (state.failed_count() > 0) text += fmt::format(", {} failed", state.failed_count());
    if (lost_ > 0) text += fmt::format(", {} lost and retried", lost_);
    const std::string budgets = budgets_text(coordinator.budgets());
    if (!budgets.empty()) text += ", " + budgets;
    const auto now = Clock::now();
    if (const auto rate = pace_.trials_per_second(now)) {
      text += *rate > 1 ? fmt::format(", {:.0f} trials/s", *rate)
                        : fmt::format(", {:.0f} trials/h", *rate * 3600);
    }
    const auto left = pace_.seconds_left(now, total(state));
    if (left) text += fmt::format(", about {} left", duration_text(*left));
    return text;
  }

  std::string best_text(const StudyState& state, std::size_t width) const {
    if (!state.best) return "no result yet";
    if (spec_.objectives.size() > 1) return front_text(state);
    const Trial& best = state.trials[*state.best];
    const double loss = best.standing ? best.standing->loss : *best.loss;
    std::string text = fmt::format("best {} = {} (trial {})", spec_.objective.metric,
                                   short_number(objective_value(spec_, loss)), best.id.n);
    text += repeated_result(state.trials, best).text();
    text += broken_text(state, best);
    for (const auto& [name, number] : best.last_metrics) {
      if (name.starts_with("test_")) text += fmt::format(", {} = {:.4g}", name, number);
    }
    return text + "  " + configuration_text(*best.configuration, width);
  }

  /// Looked for anew only when a trial has ended.
  std::string front_text(const StudyState& state) const {
    if (state.closed_count() != front_at_) {
      front_ = front_of(spec_.objectives, state);
      front_at_ = state.closed_count();
    }
    return front_summary(front_);
  }

  void watch(const StudyState& state) { pace_.note(Clock::now(), settled_count(state)); }

  const StudySpec& spec_;

 private:
  mutable StudyFront front_;
  mutable std::int64_t front_at_ = 0;
  EventText text_;
  Pace pace_;
  int lost_ = 0;
  Clock::time_point last_summary_ = Clock::now();
};

/// The last lines of the terminal are redrawn; events scroll by above them.
class Block final : public Lines {
 public:
  explicit Block(const StudySpec& spec) : Lines(spec), color_(wants_color(STDERR_FILENO)) {}
  ~Block() override {
    if (drawn_ > 0) std::fputc('\n', stderr);
  }

  void on_tick(const Coordinator& coordinator,
               const std::vector<LaunchedTrainer>& trainers) override {
    watch(coordinator.state());
    const std::size_t width = terminal_size(STDERR_FILENO).columns;
    std::vector<std::string> lines = {bar(coordinator.state(), width), summary(coordinator),
                                      best_text(coordinator.state(), width)};
    const auto dead = std::count_if(trainers.begin(), trainers.end(),
                                    [](const LaunchedTrainer& each) { return !each.alive; });
    if (coordinator.roster().all().empty()) lines.emplace_back("waiting for trainers to connect");
    if (dead > 0) lines.push_back(fmt::format("{} of {} trainers are down", dead, trainers.size()));
    if (coordinator.draining()) lines.emplace_back("draining: finishing what runs");
    erase();
    for (std::string& line : lines) {
      if (line.size() >= width) line.resize(width - 1);
      fmt::print(stderr, "{}{}", drawn_ > 0 ? "\n" : "", drawn_ > 0 ? line : painted(line));
      ++drawn_;
    }
    std::fflush(stderr);
  }

 protected:
  void say(const std::string& line) override {
    erase();
    fmt::print(stderr, "{}\n", line);
  }

 private:
  void erase() {
    if (drawn_ == 0) return;
    fmt::print(stderr, "\r\033[K");
    for (int i = 1; i < drawn_; ++i) fmt::print(stderr, "\033[A\033[K");
    drawn_ = 0;
  }

  std::string bar(const StudyState& state, std::size_t width) const {
    const auto length = std::min<std::size_t>(40, width / 2);
    if (!spec_.stopping.trials) return spec_.study.name;
    const double share = std::min(
        1.0, static_cast<double>(settled_count(state)) / static_cast<double>(total(state)));
    const auto full = static_cast<std::size_t>(std::lround(share * static_cast<double>(length)));
    const std::string done(full, '#');
    const std::string rest(length - full, '.');
    return fmt::format("{}{} {:3.0f} %  {}", done, rest, share * 100, spec_.study.name);
  }

  /// The bar in its colour, once it has been cut to the width: a cut colour would never end.
  std::string painted(const std::string& bar) const {
    const std::size_t full = std::min(bar.find_first_not_of('#'), bar.size());
    if (!color_ || full == 0) return bar;
    return "\033[32m" + bar.substr(0, full) + "\033[0m" + bar.substr(full);
  }

  bool color_;
  int drawn_ = 0;
};

}  // namespace

ProgressKind progress_kind(bool json, bool quiet) {
  if (json) return ProgressKind::json;
  if (quiet) return ProgressKind::quiet;
  return can_redraw(STDERR_FILENO) ? ProgressKind::block : ProgressKind::lines;
}

std::unique_ptr<ServerObserver> make_progress(ProgressKind kind, const StudySpec& spec) {
  switch (kind) {
    case ProgressKind::quiet:
      return std::make_unique<Quiet>();
    case ProgressKind::lines:
      return std::make_unique<Lines>(spec);
    case ProgressKind::block:
      return std::make_unique<Block>(spec);
    case ProgressKind::json:
      return std::make_unique<JsonEvents>();
  }
  return std::make_unique<Quiet>();
}

double objective_value(const StudySpec& spec, double loss) {
  return value_of(spec.objective, loss);
}

}  // namespace betatune
