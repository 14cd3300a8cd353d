// Downpour SGD (Dean et al. 2012, "Large Scale Distributed Deep Networks"; MPILearn's mode `sgd`).
//
//   worker   after every sync_every batches: push the sum of their gradients; x <- theta
//            (in between x <- x - local_lr g)
//   server   on each arrival: one step of the optimizer along it, however stale it is
//
// Fields: sync_every 1; local_lr = lr; optimizer sgd, lr 0.01, momentum 0, decay 0, weight_decay 0
// (or adam). With n equal workers the staleness of a push is n - 1 on average, which acts like a
// momentum of about 1 - 1/n: with many workers it wants a lower lr or a momentum below 0.

#include "trainers/torch/distributed/asynchronous/gradient_worker.hpp"
#include "trainers/torch/distributed/asynchronous/optimizer_server.hpp"
#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {
namespace {

class Downpour : public Strategy {
 public:
  explicit Downpour(engine::Fields& fields)
      : optimizer_(read_optimizer(fields)), worker_(read_gradient_worker(fields, optimizer_.lr)) {}
  std::unique_ptr<WorkerRule> worker() const override {
    return std::make_unique<GradientWorker>(worker_);
  }
  std::unique_ptr<ServerRule> server(std::size_t layer_size) const override {
    return std::make_unique<OptimizerServer>(optimizer_, layer_size);
  }

 private:
  ServerOptimizerSettings optimizer_;
  GradientWorkerSettings worker_;
};

const Registration kDownpour("downpour", "every gradient is applied as it arrives",
                             [](engine::Fields& fields, int) -> std::unique_ptr<Strategy> {
                               return std::make_unique<Downpour>(fields);
                             });

}  // namespace
}  // namespace betatune::distributed::asynchronous
