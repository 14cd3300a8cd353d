#pragma once
/// What a stage of a pipeline computes in which order. A batch goes through the stages in
/// micro-batches; a stage that did all forward passes first would keep the activations of the whole
/// batch. With one forward, one backward (1F1B) it starts the backward pass of a micro-batch as
/// soon as it can be there, and keeps those of at most `stages - stage` micro-batches, in the same
/// time. Weights change only when all are through, so the gradient is that of the whole batch. No
/// libtorch here. source: PipeDream-Flush in Narayanan et al. 2021, arXiv:2104.04473, section 2.2.1
/// and figure 4

#include <string>
#include <vector>

namespace betatune::distributed {

struct PipelineStep {
  enum class Kind { forward, backward } kind = Kind::forward;
  int micro_batch = 0;  ///< 0 .. micro_batches-1

  bool operator==(const PipelineStep&) const = default;
};

/// Forward passes of a stage before its first backward pass is preceded by one more:
/// min(stages - stage - 1, micro_batches).
/// errors of all: plugin::Failure (BETATUNE_ERROR) unless 0 <= stage < stages, micro_batches >= 1
int warm_up_length(int stage, int stages, int micro_batches);

/// The schedule of one stage: each micro-batch forward and backward once, both in the order of
/// their numbers. Fewer micro-batches than stages are allowed, see idle_share.
std::vector<PipelineStep> one_forward_one_backward(int stage, int stages, int micro_batches);

/// The most micro-batches that are forward and not yet backward at any time.
int peak_in_flight(const std::vector<PipelineStep>& schedule);

/// The part of a step in which a stage waits, if all stages take equally long and messages no time:
/// (stages - 1) / (micro_batches + stages - 1). (The paper gives the waiting as a part of the work
/// instead: (stages - 1) / micro_batches.)
double idle_share(int stages, int micro_batches);

/// For logs: "4 stage(s), 8 micro-batch(es), each stage idle 27 % of a step"; with fewer
/// micro-batches than stages also what to do.
std::string describe_schedule(int stages, int micro_batches);

}  // namespace betatune::distributed
