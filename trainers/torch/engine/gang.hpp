#pragma once
/// How a process of a gang finds the others.

#include <memory>

#include "trainers/torch/engine/recipe.hpp"
#include "trainers/trainer.hpp"

namespace betatune::distributed {
class Strategy;
}

namespace betatune::engine {

/// Changes the recipe where its batch is that of one rank: then rate and batch grow with the gang.
///
/// host     learns of the groups of a hybrid training
/// returns  the strategy that ties the ranks of this job together; null for one rank of which the
///          study says nothing
/// errors   plugin::Failure: wrong settings, ranks that do not come
std::shared_ptr<distributed::Strategy> join_gang(const betatune_job& job, Recipe& recipe,
                                                 const plugin::Host& host);

}  // namespace betatune::engine
