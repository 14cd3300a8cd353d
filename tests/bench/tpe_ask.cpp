/// Time of one ask of the TPE searcher at d = 10, in milliseconds of CPU time of one thread: the
/// mean over asks that follow each other, each with one result more. One line per n:
/// "n mean first", `first` being a cold start (no cache).

#include <cstdlib>
#include <ctime>
#include <iostream>

#include "tests/support/test_functions.hpp"

namespace {

using namespace betatune;
using namespace betatune::test;

constexpr int kDims = 10;
constexpr int kAsks = 50;

double cpu_ms() {
  return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void measure(int n) {
  HistoryBuilder study(unit_box(kDims));
  const TestFunction function = test_functions(7).at("levy10");
  const auto evaluate = [&](const Suggestion& suggestion) {
    study.add_result(suggestion, function.at(unit_point(suggestion.configuration, kDims)));
  };
  const auto random = study.searcher("random");
  for (const Suggestion& each : random->suggest(study.history(), n, root_key(1))) evaluate(each);

  const auto tpe = study.searcher("tpe");
  double first = 0, total = 0;
  for (int i = 0; i <= kAsks; ++i) {
    const double begin = cpu_ms();
    const auto suggestions =
        tpe->suggest(study.history(), 1, fold_in(root_key(2), static_cast<std::uint64_t>(i)));
    const double took = cpu_ms() - begin;
    (i == 0 ? first : total) += took;
    evaluate(suggestions.at(0));
  }
  std::cout << n << ' ' << total / kAsks << ' ' << first << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) {
    for (const int n : {100, 1000, 10000}) measure(n);
  }
  for (int i = 1; i < argc; ++i) measure(std::atoi(argv[i]));
}
