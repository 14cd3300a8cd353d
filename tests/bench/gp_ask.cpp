/// Time of one ask of a searcher at d = 10, in milliseconds of CPU time of one thread: the mean
/// over asks that follow each other, each with one result more, so that refits count at the rate at
/// which they happen. One line per n: "n gp auto cold", of the GP alone, of `auto`, and of the GP's
/// cold start (no cache).

#include <cstdlib>
#include <ctime>
#include <iostream>

#include "optimizer/freed_memory.hpp"
#include "tests/support/test_functions.hpp"

namespace {

using namespace betatune;
using namespace betatune::test;

constexpr int kDims = 10;

double cpu_ms() {
  return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

struct Times {
  double mean = 0, first = 0;
};

Times measure(const char* name, int n) {
  HistoryBuilder study(unit_box(kDims));
  const TestFunction function = test_functions(7).at("levy10");
  const auto evaluate = [&](const Suggestion& suggestion) {
    study.add_result(suggestion, function.at(unit_point(suggestion.configuration, kDims)));
  };
  const auto sobol = study.searcher("sobol");
  for (const Suggestion& each : sobol->suggest(study.history(), n, root_key(1))) evaluate(each);

  const auto searcher = study.searcher(name);
  const int asks = std::max(20, n / 20);
  Times out;
  double total = 0;
  for (int i = 0; i <= asks; ++i) {
    const double begin = cpu_ms();
    const auto suggestions =
        searcher->suggest(study.history(), 1, fold_in(root_key(2), static_cast<std::uint64_t>(i)));
    const double took = cpu_ms() - begin;
    (i == 0 ? out.first : total) += took;
    evaluate(suggestions.at(0));
  }
  out.mean = total / asks;
  return out;
}

void compare(int n) {
  const Times gp = measure("gp", n), mixed = measure("auto", n);
  std::cout << n << ' ' << gp.mean << ' ' << mixed.mean << ' ' << gp.first << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  betatune::keep_freed_memory();  // as the program does
  if (argc == 1) {
    for (const int n : {50, 100, 500, 1000}) compare(n);
  }
  for (int i = 1; i < argc; ++i) compare(std::atoi(argv[i]));
}
