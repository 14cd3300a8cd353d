/// The plug-in `torch_classifier`: an image classifier (MLP or CNN) whose steps are epochs.

#include "trainers/torch/dataset.hpp"
#include "trainers/torch/engine/trainer.hpp"
#include "trainers/torch/learner.hpp"
#include "trainers/torch/settings.hpp"

namespace betatune::classifier {
namespace {

class Classifier final : public engine::EpochTrainer {
 public:
  using EpochTrainer::EpochTrainer;

 protected:
  engine::Training prepare(const betatune_job& job) override {
    const Settings settings = read_settings(job.params_json, job.config_json);
    data_ = load_dataset(settings.data);
    return {settings, image_task(settings, data_), training_identity(settings), data_.checksum,
            "images"};
  }

 private:
  Dataset data_;
};

}  // namespace
}  // namespace betatune::classifier

BETATUNE_TRAINER(betatune::classifier::Classifier, "torch_classifier", "1");
