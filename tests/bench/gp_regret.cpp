/// Regret of searchers on functions with known minima: the median over seeds of (best loss found -
/// minimum), of (true loss of the recommended configuration - minimum) under noise. Usage:
/// bench_gp_regret [SEEDS] [TRIALS] [FUNCTION ...]

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/support/test_functions.hpp"

namespace {

using namespace betatune;
using namespace betatune::test;

double regret(const std::string& name, const std::string& searcher, std::uint64_t seed,
              int trials) {
  const TestFunction function = test_functions(seed).at(name);
  HistoryBuilder study(unit_box(function.dims), {}, seed);
  const auto made = study.searcher(searcher);
  Stream noise(fold_in(root_key(seed), "noise"));
  const auto truth = [&](const Configuration& x) {
    return function.at(unit_point(x, function.dims));
  };
  const double best = run_study(
      study, *made,
      [&](const Configuration& x) { return truth(x) + function.noise * noise.normal(); }, trials);
  // Under noise the lowest loss is luck: what counts is the configuration that is believed best.
  if (function.noise > 0) return truth(*made->recommend(study.history())) - function.minimum;
  return best - function.minimum;
}

}  // namespace

int main(int argc, char** argv) {
  const int seeds = argc > 1 ? std::atoi(argv[1]) : 5;
  const int trials = argc > 2 ? std::atoi(argv[2]) : 60;
  std::vector<std::string> names(argv + std::min(argc, 3), argv + argc);
  if (names.empty()) {
    for (const auto& [name, function] : test_functions(1)) names.push_back(name);
  }
  std::printf("%-14s %-8s %10s %10s %10s\n", "function", "searcher", "quarter", "median", "3/4");
  for (const std::string& name : names) {
    for (const char* searcher : {"random", "gp"}) {
      std::vector<double> regrets;
      for (int seed = 1; seed <= seeds; ++seed) {
        regrets.push_back(regret(name, searcher, static_cast<std::uint64_t>(seed), trials));
      }
      std::sort(regrets.begin(), regrets.end());
      const std::size_t n = regrets.size();
      std::printf("%-14s %-8s %10.3g %10.3g %10.3g\n", name.c_str(), searcher, regrets[n / 4],
                  regrets[n / 2], regrets[3 * n / 4]);
      std::fflush(stdout);
    }
  }
}
