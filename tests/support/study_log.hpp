#pragma once
/// Logs of studies that never ran: valid facts in an order drawn from a seed, for the tests of
/// stores, projections and reading commands.

#include <string>
#include <vector>

#include "optimizer/event.hpp"
#include "searchspaces/random.hpp"

namespace betatune::support {

/// Numbers and dates events as an optimizer would.
class LogBuilder {
 public:
  void add(Fact fact) {
    at_us_ += 1'000;
    events_.push_back(Event{events_.size() + 1, at_us_, std::move(fact)});
  }
  const std::vector<Event>& events() const { return events_; }

 private:
  std::int64_t at_us_ = 1'790'000'000'000'000;
  std::vector<Event> events_;
};

struct LogShape {
  int trials = 20;
  int parallel = 4;
  int reports = 3;     ///< steps of a full training
  bool faults = true;  ///< failures, losses, pauses, stops and cancelled trials too
  std::uint64_t seed = 1;
  bool limited = false;     ///< under outcome constraints, of metrics that come now and then
  bool repeated = false;    ///< some trials train an earlier one's configuration again
  Json document = nullptr;  ///< of the study file; null: a small one of its own
};

/// A study's life, interleaved over `parallel` slots. Ends with StudyClosed.
class StudyLife {
 public:
  explicit StudyLife(LogShape shape) : shape_(shape), draws_(root_key(shape.seed)) {}

  std::vector<Event> run() {
    log_.add(StudyCreated{kLogSchema, "generated", document(), 7, "test"});
    log_.add(OptimizerStarted{1, "test"});
    while (!live_.empty() || created_ < shape_.trials) {
      const bool may_start =
          created_ < shape_.trials && live_.size() < static_cast<std::size_t>(shape_.parallel);
      if (may_start && (live_.empty() || draws_.uniform() < 0.3)) {
        create();
      } else {
        advance(draws_.below(live_.size()));
      }
    }
    log_.add(StudyClosed{"trials"});
    return log_.events();
  }

 private:
  struct Live {
    TrialId trial;
    std::uint64_t attempt = 0;
    bool running = false;
    Step step = 0;
    Step from = 0;
    std::uint64_t seq = 0;
    std::vector<ArtifactRef> checkpoints;  ///< that nobody has found damaged
    int failures = 0;
  };

  Json document() const {
    if (!shape_.document.is_null()) return shape_.document;
    Json document{{"version", 1},
                  {"study", {{"name", "generated"}}},
                  {"objective", {{"metric", "val_loss"}, {"goal", "minimize"}}},
                  {"fidelity", {{"name", "epoch"}, {"min", 1}, {"max", shape_.reports}}},
                  {"resources", {{"gpus", 2}}},
                  {"stopping", {{"trials", shape_.trials}}}};
    if (shape_.limited) document["outcome_constraints"] = {"mem <= 70", "accuracy >= 0.5"};
    return document;
  }

  void create() {
    const TrialId trial{static_cast<std::uint64_t>(created_++)};
    const Configuration configuration{{"lr", draws_.uniform()},
                                      {"layers", static_cast<std::int64_t>(draws_.below(12))},
                                      {"optimizer", std::string("adamw")}};
    TrialCreated fact{trial, configuration, "sobol", trial.n / 8, Json()};
    if (shape_.repeated && !firsts_.empty() && draws_.uniform() < 0.6) {
      const TrialCreated& first = firsts_[draws_.below(firsts_.size())];
      fact.configuration = first.configuration;
      fact.repeats = first.trial;
      fact.origin = draws_.uniform() < 0.5 ? kRepeatOrigin : kConfirmOrigin;
      fact.plan.reset();
    } else {
      firsts_.push_back(fact);
    }
    log_.add(fact);
    live_.push_back(Live{trial, 0, false, 0, 0, 0, {}, 0});
  }

  void advance(std::size_t index) {
    Live& live = live_[index];
    if (!live.running) return start(live);
    const double draw = shape_.faults ? draws_.uniform() : 1;
    if (draw < 0.03) return fail(index);
    if (draw < 0.06 && !live.checkpoints.empty()) return pause(live);
    if (draw < 0.08) return stop(index);
    if (live.step < shape_.reports) return report(live);
    end(live, AttemptEnd::reached, std::nullopt);
    close(index, Outcome::completed);
  }

  void start(Live& live) {
    live.running = true;
    std::optional<ArtifactRef> checkpoint;
    if (!live.checkpoints.empty()) checkpoint = live.checkpoints.back();
    live.step = live.from = checkpoint ? checkpoint->step : 0;
    live.seq = 0;
    log_.add(AttemptStarted{live.trial, AttemptId{++live.attempt}, "host-1", live.from,
                            shape_.reports, checkpoint});
    if (!checkpoint || !shape_.faults || draws_.uniform() < 0.8) return;
    end(live, AttemptEnd::failed, FailureClass::checkpoint, false);
    live.checkpoints.pop_back();
  }

  void report(Live& live) {
    ++live.step;
    const double loss = draws_.uniform();
    Metrics metrics{{"val_loss", loss}, {"accuracy", 1 - loss}};
    if (shape_.limited && draws_.uniform() < 0.5) metrics["mem"] = 60 + 20 * draws_.uniform();
    log_.add(Reported{live.trial, AttemptId{live.attempt}, ++live.seq, live.step,
                      std::move(metrics), loss, false});
    if (!shape_.faults || live.step >= shape_.reports || draws_.uniform() < 0.7) return;
    live.checkpoints.push_back(ArtifactRef{"trials/" + std::to_string(live.trial.n) + "/" +
                                               std::to_string(live.attempt) + "-" +
                                               std::to_string(live.step),
                                           live.step, 1000});
    log_.add(CheckpointSaved{live.trial, AttemptId{live.attempt}, live.checkpoints.back()});
  }

  void end(Live& live, AttemptEnd how, std::optional<FailureClass> failure, bool charged = true) {
    live.running = false;
    log_.add(AttemptEnded{live.trial, AttemptId{live.attempt}, how, live.step, failure,
                          failure ? "it failed" : "", charged});
  }

  void fail(std::size_t index) {
    const bool lost = draws_.uniform() < 0.5;
    end(live_[index], lost ? AttemptEnd::lost : AttemptEnd::failed,
        lost ? FailureClass::infra : FailureClass::oom);
    if (++live_[index].failures > 1) close(index, Outcome::failed);
  }

  void pause(Live& live) {
    const char* by = draws_.uniform() < 0.5 ? "scheduler" : "user";
    log_.add(Decided{live.trial, AttemptId{live.attempt}, Action::pause, live.step, by, "test"});
    end(live, AttemptEnd::paused, std::nullopt);
  }

  void stop(std::size_t index) {
    Live& live = live_[index];
    log_.add(Decided{live.trial, AttemptId{live.attempt}, Action::stop, live.step, "user", "test"});
    end(live, AttemptEnd::stopped, std::nullopt);
    close(index, draws_.uniform() < 0.5 ? Outcome::stopped : Outcome::cancelled);
  }

  void close(std::size_t index, Outcome outcome) {
    log_.add(TrialClosed{live_[index].trial, outcome, std::nullopt});
    live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  LogShape shape_;
  Stream draws_;
  LogBuilder log_;
  int created_ = 0;
  std::vector<Live> live_;
  std::vector<TrialCreated> firsts_;
};

inline std::vector<Event> make_study_log(const LogShape& shape) {
  return StudyLife(shape).run();
}

}  // namespace betatune::support
