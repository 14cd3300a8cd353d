#pragma once
/// Scores knobs (tuning.hpp) by the steps of a training that goes on: a window of steps with each,
/// timed on every rank and agreed on by all, so that all of them change at the same step and find
/// the same. Needs libtorch.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "trainers/torch/distributed/communicator.hpp"
#include "trainers/torch/distributed/reducer.hpp"
#include "trainers/torch/distributed/tuning.hpp"

namespace betatune::distributed {

class CommunicationTuner {
 public:
  /// buckets  where the search begins; both sizes above 0
  /// window   steps that score one setting
  /// The references must live longer.
  CommunicationTuner(Communicator& communicator, Reducer& reducer, const BucketLimits& buckets,
                     int window);

  /// After each step, when nothing is under way. Collective at the end of a window.
  void stepped();
  /// What comes before the next step is no part of it (a validation).
  void paused() { timed_ = false; }

  /// Once the search is over: tuned_bucket_mib, tuned_first_bucket_mib, tuned_piece_kib (where the
  /// backend has pieces), and tuned_speed_up.
  std::map<std::string, double> metrics() const;
  /// For the log, once for each thing that happened; else "".
  std::string news() { return std::exchange(news_, ""); }

  /// `communication.json`, by rank 0: the scores so far.
  void save(const std::string& directory) const;
  /// Goes on from there if that was a gang like this one; else the search begins anew.
  /// errors plugin::Failure (BETATUNE_CHECKPOINT)
  void load(const std::string& directory);

 private:
  using Clock = std::chrono::steady_clock;

  void use(const Knobs& knobs);
  /// After a score.
  void go_on();
  std::string circumstances() const;
  std::string text_of_best() const;

  Communicator& communicator_;
  Reducer& reducer_;
  TuningSpace space_;
  int window_;
  std::vector<double> scores_;  ///< seconds of a step, in the order asked for
  Tuning tuning_;
  Knobs used_;
  std::vector<double> seconds_;  ///< of the steps in this window
  int skipped_ = 0;              ///< steps that are not to be timed yet
  bool timed_ = false;           ///< last_ was the end of the step before
  Clock::time_point last_;
  std::string news_;
};

}  // namespace betatune::distributed
