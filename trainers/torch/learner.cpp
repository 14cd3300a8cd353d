#include "trainers/torch/learner.hpp"

#include <torch/types.h>

#include "trainers/torch/engine/classification.hpp"
#include "trainers/torch/network.hpp"

namespace betatune::classifier {
namespace {

engine::Samples samples_of(const ImageSet& set, const Dataset& data) {
  auto* pixels = const_cast<std::uint8_t*>(set.pixels.data());  // from_blob has no const; only read
  auto* labels = const_cast<std::int64_t*>(set.labels.data());
  return {torch::from_blob(pixels, {set.count, data.height, data.width}, torch::kByte),
          torch::from_blob(labels, {set.count}, torch::kLong)};
}

}  // namespace

std::shared_ptr<engine::Task> image_task(const Settings& settings, const Dataset& data) {
  return std::make_shared<engine::ClassificationTask>(
      [model = settings.model, &data] { return make_network(model, data); },
      std::array{samples_of(data.train, data), samples_of(data.validation, data),
                 samples_of(data.test, data)},
      settings.label_smoothing);
}

Score Learner::score(const ImageSet& set) {
  using engine::Part;
  return score(&set == &data_.train        ? Part::train
               : &set == &data_.validation ? Part::validation
                                           : Part::test);
}

}  // namespace betatune::classifier
