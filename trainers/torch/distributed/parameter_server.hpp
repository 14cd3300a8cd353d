#pragma once
/// Training over parameter servers: the ranks are workers, which exchange gradients or weights with
/// servers by one of the rules of asynchronous/rules, and do not wait for each other. The servers
/// are threads of the ranks, dealt out from rank 0 on; each has some of the layers.
///
/// The weights of a rank are its own between two ends of an epoch. There all ranks meet, and have
/// the servers' weights (the centre) until the next step: those are scored and saved. A training
/// that goes on from a checkpoint starts from the centre; momenta start anew.
///
/// In a hybrid training the ranks of a group average their gradients, and its first rank alone is a
/// worker. All servers are in the first group: without another, the training goes on.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "trainers/torch/distributed/asynchronous/worker.hpp"
#include "trainers/torch/distributed/communicator.hpp"
#include "trainers/torch/distributed/hybrid_groups.hpp"
#include "trainers/torch/distributed/server_tree.hpp"
#include "trainers/torch/distributed/settings.hpp"
#include "trainers/torch/distributed/strategy.hpp"

namespace betatune::distributed {

struct ParameterServerOptions {
  std::string strategy_json;  ///< for asynchronous::read_strategy
  int servers = 1;            ///< 1 to the number of ranks
  int sub_masters = 0;        ///< between workers and servers; not with groups
  bool sub_masters_mean = false;
  double learning_rate = 0;  ///< the servers'; the optimizer's at a step, relative to it, scales
                             ///< the gradient
  double weight_decay = 0;   ///< times the weights, added to the gradient
  double max_gradient_norm = 0;
  // of the groups of a hybrid training
  Backend backend = Backend::automatic;
  std::chrono::milliseconds rank_timeout{10'000};
  GroupHost group_host = {};
};

class ParameterServer final : public Strategy {
 public:
  /// errors plugin::Failure
  ParameterServer(std::unique_ptr<Communicator> communicator, ParameterServerOptions options);
  ~ParameterServer() override;

  void attach(const Replica& replica) override;
  void before_forward() override;
  void backward(const at::Tensor& mean_loss, double share, bool last) override;
  /// The optimizer's learning rate counts, not its state.
  StepResult step(torch::optim::Optimizer& optimizer) override;
  void finish_epoch() override;
  double waited_seconds() const override { return waited_.count(); }
  std::map<std::string, double> metrics() const override;
  std::string news() override { return groups_ ? groups_->news() : ""; }
  void sum(std::vector<double>& values) override;
  void load(const std::string& directory) override;
  int rank() const override { return groups_ ? groups_->rank() : communicator_->rank(); }
  int size() const override { return groups_ ? groups_->size() : communicator_->size(); }
  std::string description() const override;

 private:
  using Layers = asynchronous::Layers;

  void make_groups();
  /// Servers and connections, for the weights that the model has now. Collective.
  void start();
  void stop();
  ServerTree::Options tree_options() const;
  bool is_worker() const { return !groups_ || groups_->is_root(); }
  int workers() const { return groups_ ? groups_->count() : communicator_->size(); }
  int worker_number() const { return groups_ ? groups_->number() : communicator_->rank(); }
  void read_model(Layers& layers) const;
  void write_model(const Layers& layers);
  void take_gradient(double factor);
  void clip();
  void average_in_group();
  void exchange();

  std::unique_ptr<Communicator> communicator_;
  std::unique_ptr<HybridGroups> groups_;
  ParameterServerOptions options_;
  asynchronous::Configured configured_;
  Replica replica_;
  std::unique_ptr<ServerTree> tree_;
  std::unique_ptr<asynchronous::Worker> worker_;
  Layers weights_, gradient_, centre_;
  bool shows_centre_ = false;  ///< the model has the centre, weights_ what to go on with
  double share_ = 0;           ///< of this rank in the step so far
  std::chrono::duration<double> waited_{0};
};

}  // namespace betatune::distributed
