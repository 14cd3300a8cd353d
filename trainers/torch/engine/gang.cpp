#include "trainers/torch/engine/gang.hpp"

#include "trainers/trainer.hpp"

namespace betatune::engine {

std::shared_ptr<distributed::Strategy> join_gang(const betatune_job& job, const Recipe&) {
  if (job.world_size <= 1) return nullptr;
  throw plugin::Failure(BETATUNE_ERROR, "this trial has " + std::to_string(job.world_size) +
                                            " ranks, but the trainer trains in one process; set "
                                            "resources so that a trial has one rank");
}

}  // namespace betatune::engine
