// The synchronous rule (MPILearn's `--synchronous`).
//
// The server waits for the gradients of all workers, then takes one step of the optimizer along
// their mean (or their sum, as MPILearn does) and answers all. A push with tau > 0 belongs to a
// round that is over, and is rejected. A worker that has left is not waited for. Gradients are
// summed in the order of ranks whatever the order of arrival, so that a run can be repeated bit for
// bit.
//
// Fields: reduce mean (or sum); sync_every 1, local_lr = lr; optimizer sgd, lr 0.01, momentum 0,
// decay 0, weight_decay 0 (or adam).

#include <map>
#include <set>

#include "trainers/torch/distributed/asynchronous/gradient_worker.hpp"
#include "trainers/torch/distributed/asynchronous/reduce.hpp"
#include "trainers/torch/distributed/asynchronous/server_optimizer.hpp"
#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {
namespace {

enum class Reduce { mean, sum };
constexpr engine::Choice<Reduce> kReduce[] = {{"mean", Reduce::mean}, {"sum", Reduce::sum}};

class SynchronousServer : public ServerRule {
 public:
  SynchronousServer(const ServerOptimizerSettings& settings, Reduce reduce, int workers,
                    std::size_t size)
      : optimizer_(settings, size), reduce_(reduce), mean_(size) {
    for (int worker = 0; worker < workers; ++worker) awaited_.insert(worker);
  }
  Outcome apply(std::span<float> centre, std::span<const float> push,
                const Arrival& arrival) override {
    if (arrival.staleness > 0) return Outcome::rejected;
    held_[arrival.worker].assign(push.begin(), push.end());
    return close_round(centre) ? Outcome::applied : Outcome::waits;
  }
  bool leave(std::span<float> centre, int worker) override {
    awaited_.erase(worker);
    return close_round(centre);
  }
  void join(int worker) override { awaited_.insert(worker); }
  void save(Writer& out) const override;
  void load(Reader& in) override;

 private:
  bool close_round(std::span<float> centre);

  ServerOptimizer optimizer_;
  Reduce reduce_;
  Layer mean_;
  std::set<int> awaited_;      ///< workers that a round needs
  std::map<int, Layer> held_;  ///< what this round has
};

bool SynchronousServer::close_round(std::span<float> centre) {
  if (held_.empty()) return false;
  for (const int worker : awaited_) {
    if (!held_.contains(worker)) return false;
  }
  std::vector<std::span<const float>> parts;
  for (const auto& [worker, gradient] : held_) parts.emplace_back(gradient);
  const float scale = reduce_ == Reduce::sum ? 1.0f : 1 / static_cast<float>(parts.size());
  reduce_in_order(parts, scale, mean_);
  optimizer_.step(centre, mean_);
  held_.clear();
  return true;
}

void SynchronousServer::save(Writer& out) const {
  optimizer_.save(out);
  out.number(static_cast<std::uint32_t>(awaited_.size()));
  for (const int worker : awaited_) out.number(static_cast<std::int32_t>(worker));
  out.number(static_cast<std::uint32_t>(held_.size()));
  for (const auto& [worker, gradient] : held_) {
    out.number(static_cast<std::int32_t>(worker)).floats(gradient);
  }
}

void SynchronousServer::load(Reader& in) {
  optimizer_.load(in);
  awaited_.clear();
  held_.clear();
  for (auto left = in.number<std::uint32_t>(); left > 0; --left) {
    awaited_.insert(in.number<std::int32_t>());
  }
  for (auto left = in.number<std::uint32_t>(); left > 0; --left) {
    auto& gradient = held_[in.number<std::int32_t>()];
    gradient.resize(mean_.size());
    in.floats(gradient);
  }
}

class Synchronous : public Strategy {
 public:
  Synchronous(engine::Fields& fields, int workers)
      : optimizer_(read_optimizer(fields)),
        worker_(read_gradient_worker(fields, optimizer_.lr)),
        reduce_(fields.choice("reduce", Reduce::mean, kReduce)),
        workers_(workers) {}
  std::unique_ptr<WorkerRule> worker() const override {
    return std::make_unique<GradientWorker>(worker_);
  }
  std::unique_ptr<ServerRule> server(std::size_t layer_size) const override {
    return std::make_unique<SynchronousServer>(optimizer_, reduce_, workers_, layer_size);
  }
  bool synchronous() const override { return true; }

 private:
  ServerOptimizerSettings optimizer_;
  GradientWorkerSettings worker_;
  Reduce reduce_;
  int workers_;
};

const Registration kSynchronous("synchronous", "all workers go in step",
                                [](engine::Fields& fields, int n) -> std::unique_ptr<Strategy> {
                                  return std::make_unique<Synchronous>(fields, n);
                                });
}  // namespace
}  // namespace betatune::distributed::asynchronous
