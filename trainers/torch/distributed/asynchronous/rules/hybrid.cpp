// Hybrid training, from Deep Learning at 15PF (Kurth et al. 2017, arXiv:1708.05256).
//
// The n ranks form `groups` groups. Inside a group all go in step (an all-reduce); the root of each
// group pushes the group's mean gradient to the servers, one per layer, which take a step of the
// optimizer on arrival and answer with fresh weights. Groups never wait for each other, and one
// that dies does not stop the others. To the servers a group is one worker.
//
// With G groups the asynchrony acts like a momentum of about 1 - 1/G, so `momentum` wants to be
// tuned again, and may be below 0. One group is `synchronous`, bit for bit.
//
// Fields: groups 1 (1 to n); sync_every 1, local_lr = lr; optimizer sgd, lr 0.01, momentum 0, decay
// 0, weight_decay 0 (or adam).

#include "trainers/torch/distributed/asynchronous/gradient_worker.hpp"
#include "trainers/torch/distributed/asynchronous/optimizer_server.hpp"
#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {
namespace {

class Hybrid : public Strategy {
 public:
  Hybrid(engine::Fields& fields, int ranks)
      : optimizer_(read_optimizer(fields)),
        worker_(read_gradient_worker(fields, optimizer_.lr)),
        groups_(static_cast<int>(fields.integer("groups", 1, 1, ranks))) {}
  std::unique_ptr<WorkerRule> worker() const override {
    return std::make_unique<GradientWorker>(worker_);
  }
  std::unique_ptr<ServerRule> server(std::size_t layer_size) const override {
    return std::make_unique<OptimizerServer>(optimizer_, layer_size);
  }
  int groups() const override { return groups_; }

 private:
  ServerOptimizerSettings optimizer_;
  GradientWorkerSettings worker_;
  int groups_;
};

const Registration kHybrid("hybrid", "groups in step, asynchronous between groups",
                           [](engine::Fields& fields, int n) -> std::unique_ptr<Strategy> {
                             return std::make_unique<Hybrid>(fields, n);
                           });

}  // namespace
}  // namespace betatune::distributed::asynchronous
