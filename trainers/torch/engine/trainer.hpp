#pragma once
/// The plug-in around an Engine: a step is an epoch, after each the losses are reported, a
/// checkpoint resumes bit for bit. That of another training is refused, unless only rates, schedule
/// and the like differ (lasting_part() in recipe.hpp). A trainer derives from it and says in
/// prepare() what is trained; examples/torch-engine is a complete one.

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "trainers/torch/engine/engine.hpp"
#include "trainers/trainer.hpp"

namespace betatune::engine {

struct Training {
  Recipe recipe;
  std::shared_ptr<Task> task;
  /// Canonical text of everything that the result depends on, but for seed and data: two trainings
  /// with equal text, seed and data are the same. Left empty: the job's parameters and config.
  std::string identity;
  std::uint32_t data_checksum = 0;  ///< of the training data; a checkpoint of others is refused
  std::string samples = "samples";  ///< what they are called in the log: "images"
};

using Metrics = std::map<std::string, double>;

/// It reports train_loss, val_loss, learning_rate, seconds_per_epoch and samples_per_second; of
/// gangs on CPUs communication_share, the part of the training that the ranks waited; of hybrid
/// trainings groups_alive; of tasks that classify val_accuracy and val_error; in the first epoch
/// parameters; where a trial may end (the last epoch that it was asked for) test_accuracy, or
/// test_loss. A loss that is not finite ends the trial as diverged.
class EpochTrainer : public plugin::Trainer {
 public:
  explicit EpochTrainer(plugin::Host host);
  ~EpochTrainer() override;

  void setup(const betatune_job& job) final;
  void train(std::int64_t until_step) final;
  void save(const std::string& directory) final;
  void load(const std::string& directory) final;

 protected:
  /// Called once, by setup(). What the task refers to must live as long as the trainer.
  /// errors plugin::Failure for wrong parameters, with their names
  virtual Training prepare(const betatune_job& job) = 0;
  /// Adds metrics of a score, named with `prefix` ("val_" or "test_"). A validation of a training
  /// that diverged has a loss that is not finite and no discriminants.
  virtual void add_metrics(Part part, const std::string& prefix, const Score& score,
                           Metrics& metrics) const;

  const plugin::Host& host() const { return host_; }

 private:
  plugin::Verdict run_epoch(std::int64_t epoch, bool last);
  void judge_epoch(const EpochResult& result, bool last, Metrics& metrics);
  nlohmann::json checkpoint_text() const;

  plugin::Host host_;
  Training training_;
  std::uint64_t seed_ = 0;
  std::unique_ptr<Engine> engine_;
  std::int64_t epoch_ = 0;  ///< done
  int rank_ = 0;
};

}  // namespace betatune::engine
