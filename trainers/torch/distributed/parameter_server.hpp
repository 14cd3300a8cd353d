#pragma once
/// Training over parameter servers: the ranks are workers, which exchange gradients or weights with
/// servers by one of the rules of asynchronous/rules, and do not wait for each other. The servers
/// are threads of the first ranks; each has some of the layers.
///
/// The weights of a rank are its own between two ends of an epoch. There all ranks meet, and have
/// the servers' weights (the centre) until the next step: those are scored and saved. A training
/// that goes on from a checkpoint starts from the centre; momenta start anew.
///
/// In a hybrid training the ranks of a group average their gradients, and its first rank alone is a
/// worker.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "trainers/torch/distributed/asynchronous/socket_server.hpp"
#include "trainers/torch/distributed/asynchronous/worker.hpp"
#include "trainers/torch/distributed/communicator.hpp"
#include "trainers/torch/distributed/settings.hpp"
#include "trainers/torch/distributed/strategy.hpp"

namespace betatune::distributed {

struct ParameterServerOptions {
  std::string strategy_json;  ///< for asynchronous::read_strategy
  int servers = 1;            ///< 1 to the number of ranks
  double learning_rate = 0;   ///< the servers'; the optimizer's at a step, relative to it, scales
                              ///< the gradient
  double weight_decay = 0;    ///< times the weights, added to the gradient
  double max_gradient_norm = 0;
  Backend backend = Backend::automatic;  ///< of the groups
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
  void sum(std::vector<double>& values) override { communicator_->sum(values); }
  void load(const std::string& directory) override;
  int rank() const override { return communicator_->rank(); }
  int size() const override { return communicator_->size(); }
  std::string description() const override;

 private:
  using Layers = asynchronous::Layers;

  void make_group();
  /// Servers and connections, for the weights that the model has now. Collective.
  void start();
  void stop();
  bool is_worker() const { return !group_ || group_->rank() == 0; }
  int workers() const;
  int worker_number() const;
  void read_model(Layers& layers) const;
  void write_model(const Layers& layers);
  void take_gradient(double factor);
  void clip();
  void average_in_group();
  void exchange();

  std::unique_ptr<Communicator> communicator_, group_;
  ParameterServerOptions options_;
  asynchronous::Configured configured_;
  Replica replica_;
  std::unique_ptr<asynchronous::ServerThread> server_;
  std::unique_ptr<asynchronous::Worker> worker_;
  Layers weights_, gradient_, centre_;
  bool shows_centre_ = false;  ///< the model has the centre, weights_ what to go on with
  double share_ = 0;           ///< of this rank in the step so far
  std::chrono::duration<double> waited_{0};
};

}  // namespace betatune::distributed
