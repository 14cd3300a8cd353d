/// `betatune watch`: a study while it runs.

#include <chrono>
#include <csignal>
#include <ctime>
#include <fmt/format.h>
#include <unistd.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/watch_view.hpp"

namespace betatune {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Options {
  std::string study;
  double interval_s = 1;
  bool json = false;
};

/// A study that is just being made cannot be opened for a moment.
constexpr Seconds kBeingMade{5};
/// At most a fifth of the time is spent on looking.
constexpr double kRestForWork = 4;

/// Ctrl-C and its like end a wait, and nothing else: so nothing is left half drawn.
class Interrupts {
 public:
  Interrupts() {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGINT);
    ::sigaddset(&signals_, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &signals_, nullptr);
  }
  /// False if one came.
  bool sleep(Seconds time) const {
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    timespec limit{};
    limit.tv_sec = whole.count();
    limit.tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(time - whole).count();
    return ::sigtimedwait(&signals_, nullptr, &limit) < 0;
  }

 private:
  sigset_t signals_{};
};

class Watch {
 public:
  Watch(StudyPlace place, WatchView& view) : place_(std::move(place)), view_(view) {}

  /// One look. True: the study is over. Errors: the reader's.
  Result<bool> look() {
    if (study_ && study_->is_gone()) study_.reset();
    if (!study_ && !open()) return std::move(*failed_);
    if (!study_) return false;
    const Status read = study_->catch_up([&](const Event& event, const auto& decision) {
      view_.on_event(*study_, event, decision);
    });
    if (Status shown = read ? view_.look(*study_) : read; !shown) {
      // Such as a disk that does not answer.
      if (shown.error().kind == ErrorKind::unavailable) return false;
      return shown.error();
    }
    return study_->state().closed_reason.has_value();
  }

 private:
  /// False: it cannot be opened, as `failed_` says.
  bool open() {
    auto opened = FollowedStudy::open(place_, view_.decisions_wanted());
    if (opened) {
      failing_since_.reset();
      study_ = std::move(opened).value();
      view_.begin();
      return true;
    }
    if (opened.error().kind == ErrorKind::not_found) {
      failing_since_.reset();
      view_.wait_for(place_);
      return true;
    }
    const auto now = Clock::now();
    if (!failing_since_) failing_since_ = now;
    const bool hopeless = opened.error().kind == ErrorKind::unsupported;
    if (!hopeless && now - *failing_since_ < kBeingMade) return true;
    failed_ = opened.error();
    return false;
  }

  StudyPlace place_;
  WatchView& view_;
  std::unique_ptr<FollowedStudy> study_;
  std::optional<Clock::time_point> failing_since_;
  std::optional<Error> failed_;
};

int watch(const StudyPlace& place, const Options& options) {
  const Interrupts interrupts;
  std::unique_ptr<WatchView> view;
  if (!options.json && can_redraw(STDOUT_FILENO)) {
    view = std::make_unique<DrawnView>(STDOUT_FILENO);
  } else {
    view = std::make_unique<LinesView>(options.json);
  }
  Watch watched(place, *view);
  while (true) {
    const auto began = Clock::now();
    const auto over = watched.look();
    if (!over) return report_error(over.error(), WorksOn::study);
    if (over.value()) return exit_codes::kDone;
    const Seconds worked = Clock::now() - began;
    if (!interrupts.sleep(std::max(Seconds(options.interval_s), kRestForWork * worked))) {
      return exit_codes::kHardStop;
    }
  }
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto place = find_study(options.study, exit_code);
  return place ? watch(*place, options) : exit_code;
}

}  // namespace

void add_watch_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "watch",
      "A study while it runs: trials, rungs and the scheduler's last decisions, drawn again and "
      "again.\n\n"
      "  betatune watch study.yaml\n"
      "  betatune watch study.yaml > events.txt\n\n"
      "It waits for a study that has not begun, and ends with the study; Ctrl-C ends it at once.\n"
      "Where stdout is no terminal: a line per event, from the study's beginning. Reads only.\n");
  add_study_argument(*command, options->study);
  command->add_option("--interval", options->interval_s, "Seconds between two looks at the study.")
      ->check(CLI::Range(0.05, 3600.0));
  command->add_flag("--json", options->json,
                    "Events and decisions as JSON lines (betatune.event/1, betatune.decision/1).");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
