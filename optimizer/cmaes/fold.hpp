#pragma once
/// The state of a CMA-ES as a fold over a history.
///
/// A generation is `population` trials of one restart that follow each other by id, whichever
/// distribution they were drawn from: with more trials at once than make a generation, later
/// members were drawn before earlier generations had ended, which costs efficiency but loses
/// nothing. The restart of a trial stands in its note. Trials without a note (enqueued, of the
/// design) and those that said nothing (infrastructure failures, cancelled) are no members.
///
/// A generation changes the distribution once all its members have ended, or once as many younger
/// ones have: nobody waits for a straggler, and when it ends, it joins its generation, from which
/// on all is folded again.
///
/// A restart ends when its state is exhausted, or when a trial of the next one exists (its
/// distribution gave nothing new). The next has a generation `growth` times as large.
///
/// source: Auger and Hansen 2005, IPOP-CMA-ES, for the growing generations

#include <memory>
#include <optional>

#include "optimizer/cmaes/state.hpp"
#include "optimizer/gp/observations.hpp"

namespace betatune {

inline constexpr const char* kCmaOrigin = "cma-es";

struct CmaSettings {
  int population = 4;
  double sigma = 0.25;  ///< of the unit cube
  double growth = 2;
};

class CmaFold {
 public:
  CmaFold(const SearchSpace& space, CmaSettings settings);

  const CmaCoordinates& coordinates() const { return coordinates_; }
  /// The state after everything in `history`, of which `data` are the observations. Generations
  /// that are as they were at the last call are not computed again.
  CmaState fold(const History& history, const Observations& data);
  /// A restart's first state. Restart 0 begins at the best result so far, else where
  /// a person believes the optimum, else in the middle; the
  /// others at a point that follows from the study's seed.
  CmaState beginning(const History& history, const Observations& data, int restart) const;
  /// What a trial's note says of a sample drawn from `state`, for later folds.
  Json note(const CmaState& state, const CmaSample& sample, const Eigen::VectorXd& point) const;

 private:
  /// A trial of the latest restart, in the order of ids.
  struct Entry {
    std::size_t trial = 0;
    std::optional<Eigen::Index> row;  ///< of the observations; none while it runs
  };
  struct Restart {
    int number = 0;
    std::optional<Eigen::VectorXd> mean;  ///< where it began, if it has
    std::vector<Entry> entries;
  };
  /// What a generation was, to see whether it is still the same.
  struct Result {
    std::shared_ptr<const Configuration> configuration;
    double loss = 0;
    bool operator==(const Result&) const = default;
  };
  struct Generation {
    std::vector<Result> results;
    std::optional<CmaState> after;  ///< kept for the last ones only
  };

  Restart latest_restart(const History& history, const Observations& data) const;
  std::vector<std::vector<Entry>> generations(const Restart& restart) const;
  CmaState state(int restart, Eigen::VectorXd mean) const;
  int population(int restart) const;
  static std::vector<Result> results(const History& history, const Observations& data,
                                     const std::vector<Entry>& generation);
  std::vector<CmaMember> members(const History& history, const Observations& data,
                                 const std::vector<Entry>& generation,
                                 const std::vector<Result>& results) const;

  CmaCoordinates coordinates_;
  CmaSettings settings_;
  // Caches: of the restart that begins so.
  int cached_restart_ = 0;
  std::vector<double> cached_mean_;
  std::vector<Generation> cached_;
};

}  // namespace betatune
