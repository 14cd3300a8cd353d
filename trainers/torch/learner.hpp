#pragma once
/// One model in training: the whole of libtorch behind an interface without it, so that few files
/// pay for its headers.

#include <cstdint>
#include <memory>
#include <string>

#include "trainers/torch/dataset.hpp"
#include "trainers/torch/settings.hpp"

namespace betatune::classifier {

struct EpochResult {
  double loss = 0;           ///< mean over the samples seen; not finite if the training diverged
  double seconds = 0;        ///< wall time of the epoch's training
  std::int64_t samples = 0;  ///< seen; fewer than there are if the training diverged
  double last_learning_rate = 0;
};

struct Score {
  double loss = 0;      ///< mean cross-entropy in nats, without label smoothing
  double accuracy = 0;  ///< fraction that is right
};

struct Machine {
  int cpu_threads = 1;
  bool use_gpu = false;  ///< if libtorch sees one
};

/// Everything random comes from (seed, epoch): a Learner that loaded the state after epoch n goes
/// on exactly like one that was never interrupted (on CPUs bit for bit, for equal thread counts).
/// No thread and no device is touched before the constructor runs.
/// errors of libtorch arrive as plugin::Failure; running out of memory is BETATUNE_OOM
class Learner {
 public:
  Learner(const Settings& settings, const Dataset& data, std::uint64_t seed,
          const Machine& machine);
  ~Learner();
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  /// Epochs are 1, 2, ...; each is called once and in order. Ends early when the loss is not
  /// finite.
  EpochResult train_epoch(std::int64_t epoch);
  Score score(const ImageSet& set);

  /// model.pt (weights and normalisation) and optimizer.pt, in an existing folder.
  void save(const std::string& directory);
  void load(const std::string& directory);

  std::int64_t parameter_count() const;
  bool on_gpu() const;
  /// For logs: "cpu, 1 thread" or "cuda:0 ...", and the version of libtorch.
  std::string description() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A warning if this process computes with the reference BLAS (about 20 times slower), else "".
std::string slow_blas_warning();

}  // namespace betatune::classifier
