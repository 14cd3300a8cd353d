// Rules that trust a gradient less the older it is.
//
// dynsgd     DynSGD (Jiang et al. 2017, "Heterogeneity-aware Distributed Parameter Servers"; as in
//            dist-keras): on each arrival a step of the optimizer along g / (tau + 1)
// softsync   n-softsync (Zhang et al. 2016, "Staleness-aware Async-SGD", arXiv:1511.05950): the
//            server gathers c = floor(n / splits) gradients, then takes one step along
//            (1/c) sum_i g_i / max(tau_i, 1). Nobody waits. splits = 1 gathers as many as there are
//            workers, splits = n applies each at once; the mean staleness is about `splits`.
//
// The worker is Downpour's. Fields: sync_every 1, local_lr = lr, the optimizer's (sgd, lr 0.01),
// and for softsync: splits 1 (1 to n).

#include <algorithm>

#include "trainers/torch/distributed/asynchronous/gradient_worker.hpp"
#include "trainers/torch/distributed/asynchronous/server_optimizer.hpp"
#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {
namespace {

class DynSgdServer : public ServerRule {
 public:
  DynSgdServer(const ServerOptimizerSettings& settings, std::size_t size)
      : optimizer_(settings, size) {}
  Outcome apply(std::span<float> centre, std::span<const float> push,
                const Arrival& arrival) override {
    optimizer_.step(centre, push, 1 / static_cast<float>(arrival.staleness + 1));
    return Outcome::applied;
  }
  void save(Writer& out) const override { optimizer_.save(out); }
  void load(Reader& in) override { optimizer_.load(in); }

 private:
  ServerOptimizer optimizer_;
};

class SoftsyncServer : public ServerRule {
 public:
  SoftsyncServer(const ServerOptimizerSettings& settings, std::uint64_t gather, std::size_t size)
      : optimizer_(settings, size), gather_(gather), sum_(size, 0.0f) {}
  Outcome apply(std::span<float> centre, std::span<const float> push,
                const Arrival& arrival) override {
    const float weight = 1 / static_cast<float>(std::max<std::uint64_t>(arrival.staleness, 1));
    for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] += weight * push[i];
    if (++gathered_ < gather_) return Outcome::gathered;
    optimizer_.step(centre, sum_, 1 / static_cast<float>(gather_));
    std::fill(sum_.begin(), sum_.end(), 0.0f);
    gathered_ = 0;
    return Outcome::applied;
  }
  void save(Writer& out) const override {
    optimizer_.save(out);
    out.number(gathered_).floats(sum_);
  }
  void load(Reader& in) override {
    optimizer_.load(in);
    gathered_ = in.number<std::uint64_t>();
    in.floats(sum_);
  }

 private:
  ServerOptimizer optimizer_;
  std::uint64_t gather_;
  std::uint64_t gathered_ = 0;
  Layer sum_;
};

class StalenessAware : public Strategy {
 public:
  /// gather 0: DynSGD
  StalenessAware(engine::Fields& fields, std::uint64_t gather)
      : optimizer_(read_optimizer(fields)),
        worker_(read_gradient_worker(fields, optimizer_.lr)),
        gather_(gather) {}
  std::unique_ptr<WorkerRule> worker() const override {
    return std::make_unique<GradientWorker>(worker_);
  }
  std::unique_ptr<ServerRule> server(std::size_t layer_size) const override {
    if (gather_ == 0) return std::make_unique<DynSgdServer>(optimizer_, layer_size);
    return std::make_unique<SoftsyncServer>(optimizer_, gather_, layer_size);
  }
  /// A sum would have one staleness for several.
  bool additive() const override { return false; }

 private:
  ServerOptimizerSettings optimizer_;
  GradientWorkerSettings worker_;
  std::uint64_t gather_;
};

const Registration kDynSgd("dynsgd", "gradients are divided by their staleness + 1",
                           [](engine::Fields& fields, int) -> std::unique_ptr<Strategy> {
                             return std::make_unique<StalenessAware>(fields, 0);
                           });
const Registration kSoftsync("softsync",
                             "a step for every n / splits gradients, weighed by staleness",
                             [](engine::Fields& fields, int workers) -> std::unique_ptr<Strategy> {
                               const auto splits = fields.integer("splits", 1, 1, workers);
                               return std::make_unique<StalenessAware>(
                                   fields, static_cast<std::uint64_t>(workers / splits));
                             });

}  // namespace
}  // namespace betatune::distributed::asynchronous
