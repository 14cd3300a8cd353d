/// Time of what learning curves cost, in milliseconds of CPU time of one thread, at d = 6 and 27
/// epochs, a report after each: what every trial will end in ("ends"), a decision of freeze-thaw,
/// and a suggestion of `auto`. Half of the trials were trained to the end, the others are paused at
/// 1, 3 and 9 epochs. One line per number of trials: "n ends decision ask".

#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <iostream>

#include "optimizer/curves/prospects.hpp"
#include "tests/support/test_functions.hpp"

namespace {

using namespace betatune;
using namespace betatune::test;

constexpr int kDims = 6;
constexpr Step kEpochs = 27;

double cpu_ms() {
  return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void add_curve(HistoryBuilder& study, const Configuration& at, std::size_t number) {
  constexpr std::array<Step, 4> kPaused = {1, 3, 9, kEpochs};
  const std::vector<double> x = unit_point(at, kDims);
  const Step until = number % 2 == 0 ? kEpochs : kPaused[number / 2 % 3];
  Trial& trial = study.add(at, "sobol", TrialState::paused);
  for (Step step = 1; step <= until; ++step) {
    const double rate = 0.2 + x[0];
    const double loss = hartmann6(x) + 2 * std::pow(static_cast<double>(step), -rate);
    trial.observations.push_back({step, AttemptId{1}, loss, false, 0});
  }
  trial.loss = trial.observations.back().loss;
  if (until == kEpochs) trial.state = TrialState::closed;
}

template <class Work>
double mean_ms(const Work& work) {
  constexpr int kTimes = 20;
  const double begin = cpu_ms();
  for (int i = 0; i < kTimes; ++i) work(static_cast<std::uint64_t>(i));
  return (cpu_ms() - begin) / kTimes;
}

void measure(int n) {
  HistoryBuilder study(unit_box(kDims));
  study.spec().fidelity = FidelitySpec{"epoch", 1, kEpochs, true};
  const auto sobol = study.searcher("sobol");
  for (const Suggestion& each : sobol->suggest(study.history(), n, root_key(1))) {
    add_curve(study, each.configuration, study.history().trials.size());
  }
  const FeatureMap map(study.space().columns());
  EncodedTrials encoded;
  const auto decide = [&](std::uint64_t i, bool with_new) {
    const CurveTable table =
        curve_table(study.space(), *study.spec().fidelity, study.history().trials, encoded);
    // A decision draws its model, as freeze_thaw.cpp does.
    const auto draw = with_new ? std::optional(fold_in(root_key(4), i)) : std::nullopt;
    const CurveModel model(map, table, draw);
    const CurveBeliefs rows = model.of_rows();
    if (with_new) {
      log_worth_of_new(study.space(), model, table, rows, steps_to_levels(table, true),
                       rows.mean.minCoeff(), fold_in(root_key(3), i));
    }
  };
  const auto searcher = study.searcher("auto");
  const double ends = mean_ms([&](std::uint64_t i) { decide(i, false); });
  const double decision = mean_ms([&](std::uint64_t i) { decide(i, true); });
  std::size_t next = study.history().trials.size();
  const double ask = mean_ms([&](std::uint64_t i) {
    const auto found = searcher->suggest(study.history(), 1, fold_in(root_key(2), i));
    add_curve(study, found.at(0).configuration, next++);
  });
  std::cout << n << ' ' << ends << ' ' << decision << ' ' << ask << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) {
    for (const int n : {100, 300, 1000}) measure(n);
  }
  for (int i = 1; i < argc; ++i) measure(std::atoi(argv[i]));
}
