#pragma once
/// The multi-layer perceptron of torch_higgs, as a task for the Engine.

#include <memory>

#include "trainers/torch/collisions/generated.hpp"
#include "trainers/torch/engine/engine.hpp"
#include "trainers/torch/higgs/settings.hpp"

namespace betatune::higgs {

/// `data` must live longer: on CPUs the tensors share its memory. The saved model takes all 28
/// features as they are; what it sees of them, and their normalisation, are part of it.
std::shared_ptr<engine::Task> event_task(const Settings& settings,
                                         const collisions::Generated& data);

}  // namespace betatune::higgs
