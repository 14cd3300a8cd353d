#pragma once
/// The classifier's task for the Engine: pictures, and one of the networks.

#include <cstdint>
#include <memory>

#include "trainers/torch/dataset.hpp"
#include "trainers/torch/engine/engine.hpp"
#include "trainers/torch/settings.hpp"

namespace betatune::classifier {

using engine::EpochResult;
using engine::Machine;
using engine::Score;

/// `data` must live longer: on CPUs the tensors share its memory.
/// errors plugin::Failure, when the model is made, if the images are too small for it
std::shared_ptr<engine::Task> image_task(const Settings& settings, const Dataset& data);

/// An Engine on pictures.
class Learner : public engine::Engine {
 public:
  Learner(const Settings& settings, const Dataset& data, std::uint64_t seed, const Machine& machine)
      : Engine(settings, image_task(settings, data), seed, machine), data_(data) {}

  using Engine::score;
  /// set  one of the data set's
  Score score(const ImageSet& set);

 private:
  const Dataset& data_;
};

}  // namespace betatune::classifier
