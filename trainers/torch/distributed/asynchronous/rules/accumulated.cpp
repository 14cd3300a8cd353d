// Accumulated gradient normalisation, AGN (Hermans, Spanakis, Moeckel 2017, arXiv:1710.02368; ADAG
// in dist-keras).
//
//   worker   window times: x <- x - lr g;  then push -(lr / window) sum g;  x <- theta
//   server   theta <- theta + push
//
// The push has the length of one step whatever the window, but points where `window` steps led.
// Fields: lr 0.01, window 12 (dist-keras' default).

#include <algorithm>

#include "trainers/torch/distributed/asynchronous/additive_server.hpp"
#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {
namespace {

struct AccumulatedSettings {
  float lr;
  std::int64_t window;
};

class AccumulatedWorker : public WorkerRule {
 public:
  explicit AccumulatedWorker(const AccumulatedSettings& settings) : settings_(settings) {}
  void begin(const Layers& centre) override {
    sum_ = zeros(sizes_of(centre));
    batches_ = 0;
  }
  bool accumulate(Layers& parameters, const Layers& gradient) override {
    for (std::size_t k = 0; k < gradient.size(); ++k) {
      for (std::size_t i = 0; i < gradient[k].size(); ++i) {
        const float step = settings_.lr * gradient[k][i];
        parameters[k][i] -= step;
        sum_[k][i] -= step;
      }
    }
    batches_ = (batches_ + 1) % settings_.window;
    return batches_ == 0;
  }
  void contribution(std::size_t layer, std::span<const float>, std::span<const float>,
                    std::span<float> push) override {
    const auto window = static_cast<float>(settings_.window);
    for (std::size_t i = 0; i < push.size(); ++i) push[i] = sum_[layer][i] / window;
    std::fill(sum_[layer].begin(), sum_[layer].end(), 0.0f);
  }
  void receive(std::size_t, std::span<float> parameters, std::span<const float> centre) override {
    std::copy(centre.begin(), centre.end(), parameters.begin());
  }

 private:
  AccumulatedSettings settings_;
  Layers sum_;
  std::int64_t batches_ = 0;
};

class Accumulated : public Strategy {
 public:
  explicit Accumulated(engine::Fields& fields)
      : settings_{static_cast<float>(fields.real("lr", 0.01, 1e-12, 1e6)),
                  fields.integer("window", 12, 1, 1'000'000)} {}
  std::unique_ptr<WorkerRule> worker() const override {
    return std::make_unique<AccumulatedWorker>(settings_);
  }
  std::unique_ptr<ServerRule> server(std::size_t) const override {
    return std::make_unique<AdditiveServer>();
  }

 private:
  AccumulatedSettings settings_;
};

const Registration kAccumulated("agn", "pushes the mean of several local steps",
                                [](engine::Fields& fields, int) -> std::unique_ptr<Strategy> {
                                  return std::make_unique<Accumulated>(fields);
                                });

}  // namespace
}  // namespace betatune::distributed::asynchronous
