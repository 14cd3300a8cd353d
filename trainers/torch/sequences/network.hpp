#pragma once
/// The LSTM of torch_sequences, as a task for the Engine.

#include <memory>

#include "trainers/torch/collisions/generated.hpp"
#include "trainers/torch/engine/engine.hpp"
#include "trainers/torch/sequences/settings.hpp"

namespace betatune::sequences {

/// `data` must live longer: on CPUs the tensors share its memory. The saved model takes sequences
/// of any length: n x places x kFeatures.
std::shared_ptr<engine::Task> event_task(const Settings& settings,
                                         const collisions::Generated& data);

}  // namespace betatune::sequences
