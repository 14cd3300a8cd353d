/// Searchers under outcome constraints with known minima: the median over seeds of (best loss that
/// meets the limits - minimum), and the share of the trials after the first third that meet them.
/// Usage: bench_gp_constrained [SEEDS] [TRIALS] [SEARCHER ...]

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numbers>

#include "tests/support/test_functions.hpp"

namespace {

using namespace betatune;
using namespace betatune::test;
using Point = Eigen::VectorXd;

struct Problem {
  const char* name;
  int dims;
  double minimum;
  int limits;
  /// In the unit cube: the loss, and the slacks.
  std::function<double(const Point&, std::vector<double>&)> at;
};

constexpr double kPi = std::numbers::pi;

/// The limit is met by a third of the square; the loss falls straight across it.
double corner(const Point& u, std::vector<double>& slacks) {
  slacks = {u[0] + u[1] - 0.8};
  return -u[0] - u[1];
}

/// source: Gramacy et al. 2016, arXiv:1403.4890
double gramacy(const Point& u, std::vector<double>& slacks) {
  const double x = u[0], y = u[1];
  slacks = {1.5 - x - 2 * y - 0.5 * std::sin(2 * kPi * (x * x - 2 * y)), x * x + y * y - 1.5};
  return x + y;
}

/// Branin within a disk, source: Gelbart et al. 2014, arXiv:1403.5607
double branin_disk(const Point& u, std::vector<double>& slacks) {
  const double x = 15 * u[0] - 5, y = 15 * u[1];
  slacks = {(x - 2.5) * (x - 2.5) + (y - 7.5) * (y - 7.5) - 50};
  const double a = y - 5.1 / (4 * kPi * kPi) * x * x + 5 / kPi * x - 6;
  return a * a + 10 * (1 - 1 / (8 * kPi)) * std::cos(x) + 10;
}

/// The minimum of Hartmann6 lies just within the limit.
double hartmann_norm(const Point& u, std::vector<double>& slacks) {
  slacks = {u.norm() - 1};
  return test_functions(1).at("hartmann6").at({u.begin(), u.end()});
}

/// G6: a thin crescent, scaled; source: Floudas and Pardalos 1987
double g6(const Point& u, std::vector<double>& slacks) {
  const double x = 13 + 87 * u[0], y = 100 * u[1];
  slacks = {100 - (x - 5) * (x - 5) - (y - 5) * (y - 5),
            (x - 6) * (x - 6) + (y - 5) * (y - 5) - 82.81};
  return std::pow(x - 10, 3) + std::pow(y - 20, 3);
}

const Problem kProblems[] = {{"corner", 2, -0.8, 1, corner},
                             {"gramacy", 2, 0.599788, 2, gramacy},
                             {"branin disk", 2, 0.397887, 1, branin_disk},
                             {"hartmann norm", 6, -3.32237, 1, hartmann_norm},
                             {"g6", 2, -6961.81388, 2, g6}};

struct Run {
  double regret = INFINITY;
  double met = 0;
};

Run run_one(const Problem& problem, const std::string& searcher, std::uint64_t seed, int trials) {
  HistoryBuilder study(unit_box(problem.dims), {}, seed);
  for (int k = 0; k < problem.limits; ++k) study.limit("m" + std::to_string(k));
  const auto made = study.searcher(searcher);
  Run out;
  int late = 0;
  for (int i = 0; i < trials; ++i) {
    const Key key = fold_in(fold_in(root_key(seed), "plan"), static_cast<std::uint64_t>(i));
    const auto suggestions = made->suggest(study.history(), 1, key);
    std::vector<double> slacks;
    const std::vector<double> x = unit_point(suggestions[0].configuration, problem.dims);
    const double loss = problem.at(Eigen::Map<const Point>(x.data(), std::ssize(x)), slacks);
    const bool met = total_violation(slacks) == 0;
    if (met) out.regret = std::min(out.regret, loss - problem.minimum);
    if (3 * i >= trials) ++late;
    if (3 * i >= trials && met) out.met += 1;
    study.finish_with(study.add(suggestions[0], TrialState::running).id, loss, slacks);
  }
  out.met /= late;
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const int seeds = argc > 1 ? std::atoi(argv[1]) : 5;
  const int trials = argc > 2 ? std::atoi(argv[2]) : 60;
  std::vector<std::string> searchers(argv + std::min(argc, 3), argv + argc);
  if (searchers.empty()) searchers = {"random", "tpe", "gp", "auto"};
  std::printf("%-14s %-8s %10s %10s %10s %6s\n", "problem", "searcher", "quarter", "median", "3/4",
              "met");
  for (const Problem& problem : kProblems) {
    for (const std::string& searcher : searchers) {
      std::vector<double> regrets, met;
      for (int seed = 1; seed <= seeds; ++seed) {
        const Run one = run_one(problem, searcher, static_cast<std::uint64_t>(seed), trials);
        regrets.push_back(one.regret);
        met.push_back(one.met);
      }
      std::sort(regrets.begin(), regrets.end());
      std::sort(met.begin(), met.end());
      const std::size_t n = regrets.size();
      std::printf("%-14s %-8s %10.3g %10.3g %10.3g %6.2f\n", problem.name, searcher.c_str(),
                  regrets[n / 4], regrets[n / 2], regrets[3 * n / 4], met[n / 2]);
      std::fflush(stdout);
    }
  }
}
