// Elastic averaging SGD (Zhang, Choromanska, LeCun 2015, arXiv:1412.6651; MPILearn's mode `easgd`).
//
//   worker   every batch: x <- x - lr g;  after every sync_every: push x, get theta as it was, and
//            x <- x - alpha (x - theta)
//   server   on each arrival: answer theta, then theta <- theta + alpha (x - theta)
//   alpha    = elastic_force / n, or lr * rho where rho is given (the paper: alpha = eta rho and
//            beta = n alpha, 0.9)
//   EAMSGD   with momentum d > 0, Nesterov's: v <- d v - lr g(x + d v), x <- x + v. The worker's
//            parameters are y = x + d v, where the gradient is wanted; it pushes x.
//
// The paper exchanges before the step of every sync_every-th batch, MPILearn and this after it: the
// same steps, cut at another place. Fields: lr 0.01, momentum 0, sync_every 10, elastic_force 0.9
// (or rho).

#include <algorithm>

#include "trainers/torch/distributed/asynchronous/rule.hpp"
#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {
namespace {

struct ElasticSettings {
  float lr = 0.01f;
  float momentum = 0;
  std::int64_t sync_every = 10;
  float alpha = 0;
};

ElasticSettings read_elastic(engine::Fields& fields, int workers) {
  ElasticSettings s;
  const double lr = fields.real("lr", 0.01, 1e-12, 1e6);
  s.lr = static_cast<float>(lr);
  s.momentum = static_cast<float>(fields.real("momentum", 0, 0, 0.9999));
  s.sync_every = fields.integer("sync_every", 10, 1, 1'000'000);
  const double rho = fields.real("rho", -1, -1, 1e12);
  const double force = fields.real("elastic_force", rho >= 0 ? -1 : 0.9, -1, 1e6);
  if (rho >= 0 && force >= 0) fields.fail("rho", "given beside `elastic_force`; take one of them");
  const double alpha = rho >= 0 ? lr * rho : force / workers;
  if (!(alpha > 0 && alpha < 1)) {
    fields.fail(rho >= 0 ? "rho" : "elastic_force",
                "such that alpha = " + std::string(rho >= 0 ? "lr * rho" : "elastic_force / n") +
                    " is " + std::to_string(alpha) + "; it must be above 0 and below 1");
  }
  s.alpha = static_cast<float>(alpha);
  return s;
}

class ElasticWorker : public WorkerRule {
 public:
  explicit ElasticWorker(const ElasticSettings& settings) : settings_(settings) {}
  void begin(const Layers& centre) override {
    if (settings_.momentum != 0) velocity_ = zeros(sizes_of(centre));
    batches_ = 0;
  }
  bool accumulate(Layers& parameters, const Layers& gradient) override {
    for (std::size_t k = 0; k < gradient.size(); ++k) move(k, parameters[k], gradient[k]);
    batches_ = (batches_ + 1) % settings_.sync_every;
    return batches_ == 0;
  }
  void contribution(std::size_t layer, std::span<const float> parameters, std::span<const float>,
                    std::span<float> push) override {
    for (std::size_t i = 0; i < push.size(); ++i) {
      push[i] = velocity_.empty() ? parameters[i]
                                  : parameters[i] - settings_.momentum * velocity_[layer][i];
    }
    if (pushed_.size() <= layer) pushed_.resize(layer + 1);
    pushed_[layer].assign(push.begin(), push.end());
  }
  void receive(std::size_t layer, std::span<float> parameters,
               std::span<const float> centre) override {
    const auto& x = pushed_[layer];
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i] -= settings_.alpha * (x[i] - centre[i]);
    }
  }

 private:
  void move(std::size_t layer, std::span<float> y, std::span<const float> g) {
    const float lr = settings_.lr;
    const float d = settings_.momentum;
    if (velocity_.empty()) {
      for (std::size_t i = 0; i < y.size(); ++i) y[i] -= lr * g[i];
      return;
    }
    auto& v = velocity_[layer];
    for (std::size_t i = 0; i < y.size(); ++i) {
      const float x = y[i] - d * v[i];
      v[i] = d * v[i] - lr * g[i];
      y[i] = x + v[i] + d * v[i];
    }
  }

  ElasticSettings settings_;
  Layers velocity_;
  Layers pushed_;
  std::int64_t batches_ = 0;
};

class ElasticServer : public ServerRule {
 public:
  explicit ElasticServer(float alpha) : alpha_(alpha) {}
  Outcome apply(std::span<float> centre, std::span<const float> push, const Arrival&) override {
    for (std::size_t i = 0; i < centre.size(); ++i) centre[i] += alpha_ * (push[i] - centre[i]);
    return Outcome::applied;
  }
  bool answers_before() const override { return true; }
  void save(Writer&) const override {}
  void load(Reader&) override {}

 private:
  float alpha_;
};

class Elastic : public Strategy {
 public:
  Elastic(engine::Fields& fields, int workers) : settings_(read_elastic(fields, workers)) {}
  std::unique_ptr<WorkerRule> worker() const override {
    return std::make_unique<ElasticWorker>(settings_);
  }
  std::unique_ptr<ServerRule> server(std::size_t) const override {
    return std::make_unique<ElasticServer>(settings_.alpha);
  }
  bool additive() const override { return false; }

 private:
  ElasticSettings settings_;
};

const Registration kElastic("easgd", "elastic averaging: workers and centre pull each other",
                            [](engine::Fields& fields, int n) -> std::unique_ptr<Strategy> {
                              return std::make_unique<Elastic>(fields, n);
                            });

}  // namespace
}  // namespace betatune::distributed::asynchronous
