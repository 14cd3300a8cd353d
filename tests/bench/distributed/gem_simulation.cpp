// The claims of the GEM paper (arXiv:1805.08469) on a small problem in simulated time: how
// strategies stand more and more workers, a rate that is too high, and what kappa does.
//
//   ninja -C build bench_gem_simulation && build/bin/bench_gem_simulation [batches per worker]
//   [seeds] [workers ...]
//
// Every row is a mean of `seeds` runs (3); `worst` is the highest of the test losses of the second
// half of the runs, in nats (guessing: 2.303); inf: the parameters overflowed.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "trainers/torch/distributed/asynchronous/simulation/simulator.hpp"

namespace {

using namespace betatune::distributed::asynchronous;

struct Row {
  double loss = 0, accuracy = 0, worst = 0, staleness = 0;
};

std::uint64_t seeds = 3;

Row run(const DigitsProblem& problem, const std::string& strategy, int workers,
        std::uint64_t batches) {
  Row row;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SimulationSettings s;
    s.strategy = strategy;
    s.workers = workers;
    s.seed = seed;
    s.updates = batches * static_cast<std::uint64_t>(workers);
    s.evaluate_every = std::max<std::uint64_t>(s.updates / 20, 1);
    s.cluster.sigma = 0.1;  // of the log-normal batch times
    const auto result = simulate(problem, s);
    for (const auto& point : result.trace) {
      const double loss = std::isfinite(point.test_loss) ? point.test_loss : INFINITY;
      if (point.updates * 2 >= s.updates) row.worst = std::max(row.worst, loss);
    }
    row.loss += (std::isfinite(result.test_loss) ? result.test_loss : INFINITY) /
                static_cast<double>(seeds);
    row.accuracy += result.test_accuracy / static_cast<double>(seeds);
    row.staleness += result.staleness_mean / static_cast<double>(seeds);
  }
  return row;
}

void print(const DigitsProblem& problem, const std::string& name, const std::string& strategy,
           int workers, std::uint64_t batches) {
  const Row r = run(problem, strategy, workers, batches);
  std::printf("%-26s %7d %10.1f %11.4f %9.4f %8.2f%%\n", name.c_str(), workers, r.staleness, r.loss,
              r.worst, 100 * r.accuracy);
  std::fflush(stdout);
}

std::string rule(const std::string& name, double lr, const std::string& more = "") {
  return R"({"strategy": ")" + name + R"(", "lr": )" + std::to_string(lr) + more + "}";
}

}  // namespace

int main(int argc, char** argv) {
  const auto batches = static_cast<std::uint64_t>(argc > 1 ? std::atoi(argv[1]) : 60);
  if (argc > 2) seeds = static_cast<std::uint64_t>(std::atoi(argv[2]));
  std::vector<int> swarms{1, 5, 15, 30, 60, 100};
  if (argc > 3) swarms.clear();
  for (int i = 3; i < argc; ++i) swarms.push_back(std::atoi(argv[i]));
  const DigitsProblem problem({});
  for (const double lr : {0.05, 0.1}) {
    std::printf("\nlr %.2f, batch 64, %llu batches per worker\n", lr,
                static_cast<unsigned long long>(batches));
    std::printf("%-26s %7s %10s %11s %9s %9s\n", "strategy", "workers", "staleness", "test loss",
                "worst", "accuracy");
    for (const int n : swarms) {
      print(problem, "downpour", rule("downpour", lr), n, batches);
      print(problem, "dynsgd", rule("dynsgd", lr), n, batches);
      print(problem, "agn, window 12", rule("agn", lr), n, batches);
      print(problem, "easgd, every 10", rule("easgd", lr), n, batches);
      print(problem, "gem, kappa 1", rule("gem", lr, R"(, "kappa": 1)"), n, batches);
      print(problem, "gem, kappa 2", rule("gem", lr, R"(, "kappa": 2)"), n, batches);
      print(problem, "gem, kappa 2, no own step",
            rule("gem", lr, R"(, "kappa": 2, "local_update": false)"), n, batches);
    }
    for (const double kappa : {0.5, 1.0, 2.0, 4.0, 8.0}) {
      print(problem, "gem, kappa " + std::to_string(kappa).substr(0, 3),
            rule("gem", lr, R"(, "kappa": )" + std::to_string(kappa)), 100, batches);
    }
    print(problem, "momentum SGD, as many", rule("downpour", lr, R"(, "momentum": 0.9)"), 1,
          batches * 100);
  }
  return 0;
}
