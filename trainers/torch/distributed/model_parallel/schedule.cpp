#include "trainers/torch/distributed/model_parallel/schedule.hpp"

#include <algorithm>
#include <cmath>

#include "trainers/trainer.hpp"

namespace betatune::distributed {
namespace {

void check(int stage, int stages, int micro_batches) {
  if (stages < 1 || stage < 0 || stage >= stages) {
    throw plugin::Failure(BETATUNE_ERROR, "stage " + std::to_string(stage) + " of a pipeline of " +
                                              std::to_string(stages) +
                                              " stage(s): stages are 0, 1, ... of at least one");
  }
  if (micro_batches < 1) {
    throw plugin::Failure(BETATUNE_ERROR, "a pipeline with " + std::to_string(micro_batches) +
                                              " micro-batches: it needs at least one");
  }
}

}  // namespace

int warm_up_length(int stage, int stages, int micro_batches) {
  check(stage, stages, micro_batches);
  return std::min(stages - stage - 1, micro_batches);
}

std::vector<PipelineStep> one_forward_one_backward(int stage, int stages, int micro_batches) {
  using Kind = PipelineStep::Kind;
  const int ahead = warm_up_length(stage, stages, micro_batches);
  std::vector<PipelineStep> schedule;
  for (int i = 0; i < ahead; ++i) schedule.push_back({Kind::forward, i});
  for (int i = 0; i < micro_batches; ++i) {
    if (i + ahead < micro_batches) schedule.push_back({Kind::forward, i + ahead});
    schedule.push_back({Kind::backward, i});
  }
  return schedule;
}

int peak_in_flight(const std::vector<PipelineStep>& schedule) {
  int now = 0, peak = 0;
  for (const PipelineStep& step : schedule) {
    now += step.kind == PipelineStep::Kind::forward ? 1 : -1;
    peak = std::max(peak, now);
  }
  return peak;
}

double idle_share(int stages, int micro_batches) {
  check(0, stages, micro_batches);
  return static_cast<double>(stages - 1) / (micro_batches + stages - 1);
}

std::string describe_schedule(int stages, int micro_batches) {
  const double idle = idle_share(stages, micro_batches);
  std::string text = std::to_string(stages) + " stage(s), " + std::to_string(micro_batches) +
                     " micro-batch(es), each stage idle " +
                     std::to_string(std::lround(100 * idle)) + " % of a step";
  if (micro_batches < stages) {
    text += " (fewer micro-batches than stages: some stages always wait; take " +
            std::to_string(4 * stages) + " for less than 20 %)";
  }
  return text;
}

}  // namespace betatune::distributed
