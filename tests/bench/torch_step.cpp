/// Training steps of the classifier, one line of JSON with the CPU milliseconds per step of each
/// epoch. tests/bench/torch_step.py runs it beside the same model in Python.
///
///   bench_torch_step PARAMS_JSON CONFIG_JSON EPOCHS

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <time.h>

#include "trainers/torch/dataset.hpp"
#include "trainers/torch/learner.hpp"
#include "trainers/torch/settings.hpp"

namespace {

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

void run(const std::string& params, const std::string& config, std::int64_t epochs) {
  using namespace betatune::classifier;
  const Settings settings = read_settings(params, config);
  const Dataset data = load_dataset(settings.data);
  Learner learner(settings, data, 1, Machine{});
  const auto steps =
      static_cast<double>((data.train.count + settings.batch_size - 1) / settings.batch_size);
  std::printf("{\"step_cpu_ms\": [");
  double loss = 0;
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    const double before = cpu_ms();
    loss = learner.train_epoch(epoch).loss;
    std::printf("%s%.4f", epoch == 1 ? "" : ", ", (cpu_ms() - before) / steps);
  }
  std::printf("], \"train_loss\": %.4f, \"parameters\": %lld}\n", loss,
              static_cast<long long>(learner.parameter_count()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_torch_step PARAMS_JSON CONFIG_JSON EPOCHS\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], std::atoll(argv[3]));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_torch_step: %s\n", e.what());
    return 1;
  }
}
