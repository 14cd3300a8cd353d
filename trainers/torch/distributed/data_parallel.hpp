#pragma once
/// Synchronous data-parallel training: every rank computes the gradient of its part of the batch,
/// the sum is stepped with by all of them. For equal shares of samples the result is that of one
/// process with the whole batch (up to the order of additions), and all ranks have equal weights,
/// bit for bit.

#include <chrono>
#include <memory>
#include <string>

#include "trainers/torch/distributed/buckets.hpp"
#include "trainers/torch/distributed/communicator.hpp"
#include "trainers/torch/distributed/compression.hpp"
#include "trainers/torch/distributed/strategy.hpp"

namespace betatune::distributed {

struct DataParallelOptions {
  BucketLimits buckets;
  CompressionOptions compression;
  /// The gradient of a step is scaled down to this 2-norm; 0: not.
  double max_gradient_norm = 0;
  /// A gradient that is not finite ends the training, naming the rank it comes from. Without it,
  /// all ranks are NaN one step later, and nobody knows why.
  bool check_finite = true;
  /// Each rank keeps its share of the optimizer's state alone (optimizer_shards.hpp). For
  /// optimizers that skip parameters without a gradient and make no state for them before the
  /// first: libtorch's SGD, Adam, AdamW and RMSprop.
  bool shard_optimizer = false;
  /// Steps that score one way of exchanging gradients (communication_tuner.hpp); 0: they are
  /// exchanged as `buckets` says.
  int tuning_window = 0;
  /// "": none. Else rank 0 writes a trace of all ranks' steps there at each end of an epoch.
  std::string timeline_path;
};

class DataParallel final : public Strategy {
 public:
  DataParallel(std::unique_ptr<Communicator> communicator, DataParallelOptions options);
  ~DataParallel() override;

  /// Also checks that the ranks have the same options, parameters and numbers of threads.
  void attach(const Replica& replica) override;
  void backward(const at::Tensor& mean_loss, double share, bool last) override;
  StepResult step(torch::optim::Optimizer& optimizer) override;
  /// Buffers (of batch normalisation) are each rank's own until here, and then rank 0's: the
  /// training pass does not read them.
  void finish_epoch() override;
  double waited_seconds() const override;
  std::map<std::string, double> metrics() const override;
  std::string news() override;
  void sum(std::vector<double>& values) override;
  /// With powersgd, `compression-rank-R.pt`: what is left to be fed back; of communication that is
  /// tuned, `communication.json`.
  void save(const std::string& directory) override;
  void load(const std::string& directory) override;
  int optimizer_shards() const override;
  bool owns(const at::Tensor& parameter) const override;
  Communicator* layers_communicator() override;

  int rank() const override { return communicator_->rank(); }
  int size() const override { return communicator_->size(); }
  std::string description() const override;
  Communicator& communicator() { return *communicator_; }
  /// Of the parameters, as exchanged now; empty for one rank.
  std::vector<std::vector<std::size_t>> buckets() const;

 private:
  std::vector<std::string> lines() const;  ///< the options, which all ranks must have
  void load_compression(const std::string& directory);
  void save_compression(const std::string& directory);
  double exchange();

  std::unique_ptr<Communicator> communicator_;
  DataParallelOptions options_;
  Replica replica_;
  std::unique_ptr<Compressor> compressor_;
  std::unique_ptr<class Timeline> timeline_;
  std::unique_ptr<class Reducer> reducer_;
  std::unique_ptr<class OptimizerShards> shards_;
  std::unique_ptr<class CommunicationTuner> tuner_;
  double share_ = 0;  ///< of this rank in the step so far
  std::int64_t steps_ = 0;
  std::chrono::duration<double> sharing_{0};  ///< parameters, of an optimizer in shards
};

}  // namespace betatune::distributed
