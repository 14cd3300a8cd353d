// The rules, through servers and simulator, against the same algorithms in a few lines. Workers of
// equal speed take turns, so that the order is known: 0, 1, 2, 0, 1, 2 ...

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "trainers/torch/distributed/asynchronous/simulation/simulator.hpp"

namespace betatune::distributed::asynchronous {
namespace {

constexpr std::size_t kWorkers = 3, kRounds = 24, kBatch = 8;
constexpr float kLr = 0.05f;

class ReferenceTest : public ::testing::Test {
 protected:
  ReferenceTest()
      : problem_(settings()), centre_(problem_.initial(1)), g_(zeros(sizes_of(centre_))) {}
  static ProblemSettings settings() {
    ProblemSettings s;
    s.train = 512;
    s.test = 32;
    s.hidden = 5;
    return s;
  }
  Layers simulated(const std::string& rule, std::uint64_t updates) {
    SimulationSettings s;
    s.strategy = R"({"strategy": ")" + rule + R"(, "lr": 0.05})";
    s.workers = kWorkers;
    s.batch = kBatch;
    s.updates = updates;
    return simulate(problem_, s).centre;
  }
  /// The gradient of worker's batch number `step` at x.
  void gradient(const Layers& x, std::size_t worker, std::size_t step) {
    problem_.loss_and_gradient(x, 1'000'003 + worker, step, kBatch, g_);
  }
  template <class F>
  void each(F f) {
    for (std::size_t k = 0; k < centre_.size(); ++k) {
      for (std::size_t i = 0; i < centre_[k].size(); ++i) f(k, i);
    }
  }
  /// To rounding: the references add in another order here and there.
  void expect_near(const Layers& simulated) {
    EXPECT_NE(simulated, problem_.initial(1));
    each([&](std::size_t k, std::size_t i) { ASSERT_NEAR(simulated[k][i], centre_[k][i], 2e-5f); });
  }

  DigitsProblem problem_;
  Layers centre_, g_;
};

TEST_F(ReferenceTest, DynSgd) {
  std::vector<Layers> x(kWorkers, centre_);
  std::vector<std::size_t> seen(kWorkers, 0);
  std::size_t version = 0;
  for (std::size_t step = 0; step < kRounds; ++step) {
    for (std::size_t w = 0; w < kWorkers; ++w) {
      gradient(x[w], w, step);
      const auto age = static_cast<float>(version - seen[w] + 1);
      each([&](std::size_t k, std::size_t i) { centre_[k][i] -= kLr * g_[k][i] / age; });
      seen[w] = ++version;
      x[w] = centre_;
    }
  }
  expect_near(simulated("dynsgd\"", kRounds * kWorkers));
}

TEST_F(ReferenceTest, Agn) {
  std::vector<Layers> x(kWorkers, centre_), from = x;
  for (std::size_t step = 0; step < kRounds; ++step) {
    for (std::size_t w = 0; w < kWorkers; ++w) {
      gradient(x[w], w, step);
      each([&](std::size_t k, std::size_t i) { x[w][k][i] -= kLr * g_[k][i]; });
      if (step % 4 != 3) continue;
      each(
          [&](std::size_t k, std::size_t i) { centre_[k][i] += (x[w][k][i] - from[w][k][i]) / 4; });
      x[w] = from[w] = centre_;
    }
  }
  expect_near(simulated("agn\", \"window\": 4", kRounds / 4 * kWorkers));
}

TEST_F(ReferenceTest, Easgd) {
  const float alpha = 0.9f / kWorkers;
  std::vector<Layers> x(kWorkers, centre_);
  for (std::size_t step = 0; step < kRounds; ++step) {
    for (std::size_t w = 0; w < kWorkers; ++w) {
      gradient(x[w], w, step);
      each([&](std::size_t k, std::size_t i) {
        x[w][k][i] -= kLr * g_[k][i];
        if (step % 3 != 2) return;
        const float pull = alpha * (x[w][k][i] - centre_[k][i]);
        x[w][k][i] -= pull;
        centre_[k][i] += pull;
      });
    }
  }
  expect_near(simulated("easgd\", \"sync_every\": 3", kRounds / 3 * kWorkers));
}

TEST_F(ReferenceTest, Gem) {
  // Element by element, as in algorithm 1 of the paper, with the clamp of its code. All workers
  // pull at the same moment before the first of them pushes: messages take no time, but turns do.
  std::vector<Layers> x(kWorkers, centre_), s = x, m(kWorkers, zeros(sizes_of(centre_)));
  for (std::size_t step = 0; step < kRounds; ++step) {
    const Layers theta = centre_;
    for (std::size_t w = 0; w < kWorkers; ++w) {
      gradient(x[w], w, step);
      each([&](std::size_t k, std::size_t i) {
        const float d = -kLr * g_[k][i];
        m[w][k][i] = 0.9f * m[w][k][i] + d;
        const float pi = (2 * std::abs(m[w][k][i]) - std::abs(theta[k][i] - s[w][k][i])) /
                         (std::abs(d) + 1e-12f);
        const float push = std::clamp(pi, 0.0f, 5.0f) * d;
        centre_[k][i] += push;
        s[w][k][i] = theta[k][i];
        x[w][k][i] = theta[k][i] + push;
      });
    }
  }
  expect_near(simulated("gem\"", kRounds * kWorkers));
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
