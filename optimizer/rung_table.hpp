#pragma once
/// Where the trials of a study stand on the rungs of its scheduler, for people: made from the rows
/// of attempts and reports, so that nobody has to read the whole log for it.
///
/// It counts results as the schedulers do: the first of a trial at a rung, by the loss or by the
/// fronts of several objectives; one that failed or was cancelled leaves the comparison. Of
/// brackets it knows nothing: places are among all of them.

#include <map>
#include <optional>
#include <vector>

#include "optimizer/outcomes.hpp"
#include "optimizer/scheduler.hpp"
#include "optimizer/schedulers/rung_order.hpp"
#include "optimizer/stores/study_reader.hpp"

namespace betatune {

/// What became of a trial at a rung: it has reached a higher one, is on its way to one, is paused,
/// or ended here.
enum class RungFate { went_on, under_way, paused, ended };
constexpr auto enum_names(RungFate) {
  using enum RungFate;
  return std::array{EnumName<RungFate>{went_on, "went_on"},
                    EnumName<RungFate>{under_way, "under_way"},
                    EnumName<RungFate>{paused, "paused"}, EnumName<RungFate>{ended, "ended"}};
}

/// One trial at one rung.
struct RungVisit {
  std::uint64_t trial = 0;
  std::size_t rung = 0;
  std::size_t reports = 0;     ///< that the trial had made by then
  std::optional<double> loss;  ///< to be minimised
  double violation = 0;        ///< of the outcome constraints
  /// With several objectives: all of them, to be minimised; empty if one is not known.
  std::vector<double> losses = {};
  RungFate fate = RungFate::ended;
  std::size_t place = 0;  ///< 1 is the best; 0: out of the comparison
  bool in_front = false;  ///< with several objectives: see RungLine::front
};

/// All trials at one rung.
struct RungLine {
  Step step = 0;
  std::map<RungFate, std::int64_t> count;
  std::int64_t reached = 0;
  std::size_t compared = 0;  ///< of those reached
  /// The loss of the first, with one objective.
  std::optional<double> best;
  /// With several: how many of those that meet the outcome constraints no other one beats in
  /// everything.
  std::int64_t front = 0;
};

class RungTable {
 public:
  RungTable(RungPlan plan, Outcomes outcomes)
      : plan_(std::move(plan)), outcomes_(std::move(outcomes)), visits_(plan_.levels.size()) {}

  /// First every report, in the order of the log; its metrics only if there are outcome constraints
  /// or several objectives.
  void add(std::uint64_t trial, const ReportRow& report);
  /// Then every attempt, each trial's in their order.
  void add(const TrialOfAttempt& trial, const AttemptRow& attempt);
  /// Then, once: who stands where.
  void compare();

  const RungPlan& plan() const { return plan_; }
  bool has_several_objectives() const { return outcomes_.objectives() > 1; }
  std::vector<RungLine> lines() const;
  /// From the lowest rung up.
  std::vector<RungVisit> of(std::uint64_t trial) const;

 private:
  /// What a trial has come to.
  struct Result {
    std::size_t reports = 0;
    std::optional<double> loss;
    Step loss_step = 0;
    double violation = 0;
    std::vector<double> losses = {};  ///< as in RungVisit
  };
  struct Climb {
    Result now;
    std::map<std::uint64_t, Result> after;  ///< by attempt
    Metrics watched;
    int highest = -1;  ///< rung
    std::string state;
    std::optional<std::string> outcome;
  };
  void visit(std::uint64_t trial, Climb& climb, Step step, const Result& result);
  std::vector<double> losses_of(const Climb& climb, std::optional<double> loss) const;
  bool is_compared(const RungVisit& visit) const;
  std::vector<RungResult> results_of(const std::vector<RungVisit>& visits) const;
  void sort(std::vector<RungVisit>& visits) const;
  RungFate fate_of(const Climb& climb, std::size_t rung) const;

  RungPlan plan_;
  Outcomes outcomes_;
  std::map<std::uint64_t, Climb> climbs_;
  std::vector<std::vector<RungVisit>> visits_;  ///< by rung; the best first once compared
};

}  // namespace betatune
