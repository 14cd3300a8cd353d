#pragma once
/// How a process of a gang finds the others.

#include <memory>

#include "trainers/plugin.h"
#include "trainers/torch/engine/recipe.hpp"

namespace betatune::distributed {
class Strategy;
}

namespace betatune::engine {

/// returns  the strategy that ties the ranks of this job together; null for one rank
/// errors   plugin::Failure if this build cannot train with several ranks
std::shared_ptr<distributed::Strategy> join_gang(const betatune_job& job, const Recipe& recipe);

}  // namespace betatune::engine
