#pragma once
/// One model in training: the loop that all libtorch trainers share, behind an interface without
/// libtorch, so that few files pay for its headers. It knows no data and no model: these are a
/// Task's. It knows no other process: what ranks of a gang do together is a Strategy's.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trainers/torch/engine/machine.hpp"
#include "trainers/torch/engine/part.hpp"
#include "trainers/torch/engine/recipe.hpp"

namespace betatune::distributed {
class Strategy;
}

namespace betatune::engine {

class Task;

/// Numbers of a gang are those of all its ranks together, and equal on all of them but for seconds.
struct EpochResult {
  double loss = 0;     ///< mean over the samples seen; not finite if the training diverged
  double seconds = 0;  ///< wall time of the epoch's training
  /// Seen; fewer than there are if the training diverged or ranks have ended.
  std::int64_t samples = 0;
  double last_learning_rate = 0;
  /// Of a gang on CPUs: the mean over the ranks of Strategy::waited_seconds in this epoch.
  std::optional<double> waited_seconds = {};
  std::map<std::string, double> metrics = {};  ///< of the strategy, for the report
  std::string news = {};                       ///< of the strategy, for the log; "": none
};

struct Score {
  double loss = 0;      ///< mean of the task's loss (of classifiers: cross-entropy in nats)
  double accuracy = 0;  ///< fraction that is right; 0 where the task counts none
  std::vector<double> discriminants;  ///< of each sample, in order; empty where there are none
};

/// Everything random comes from (seed, epoch): an Engine that loaded the state after epoch n goes
/// on exactly like one that was never interrupted (on CPUs bit for bit, for equal thread counts).
/// The samples of an epoch come in an order that does not depend on the number of ranks; each rank
/// computes a contiguous part of every batch.
/// No thread and no device is touched before the constructor runs.
/// errors of libtorch arrive as plugin::Failure; running out of memory is BETATUNE_OOM
class Engine {
 public:
  /// strategy null: a process of its own. In a gang all ranks make all calls, with equal arguments.
  Engine(const Recipe& recipe, std::shared_ptr<Task> task, std::uint64_t seed,
         const Machine& machine, std::shared_ptr<distributed::Strategy> strategy = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Epochs are 1, 2, ...; each is called once and in order. Ends early when the loss is not
  /// finite (in gangs: when a strategy says so).
  EpochResult train_epoch(std::int64_t epoch);
  Score score(Part part);
  std::int64_t count(Part part) const;
  bool classifies() const;

  /// model.pt and optimizer.pt, in an existing folder; ranks that have a share of the optimizer's
  /// state, and strategies, add files. Any number of ranks can go on from them.
  void save(const std::string& directory);
  void load(const std::string& directory);

  std::int64_t parameter_count() const;
  bool on_gpu() const;
  /// For logs: "cpu, 1 CPU thread(s), libtorch 1.13.0", and the gang.
  std::string description() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace betatune::engine
