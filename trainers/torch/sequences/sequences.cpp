/// The plug-in `torch_sequences`: an LSTM that tells topologies of events by their particles.

#include "trainers/torch/engine/trainer.hpp"
#include "trainers/torch/sequences/network.hpp"
#include "trainers/torch/sequences/particles.hpp"

namespace betatune::sequences {
namespace {

class Sequences final : public engine::EpochTrainer {
 public:
  using EpochTrainer::EpochTrainer;

 protected:
  engine::Training prepare(const betatune_job& job) override {
    const Settings settings = read_settings(job.params_json, job.config_json);
    data_ = make_events(settings.data, settings.max_particles);
    return {settings, event_task(settings, data_), training_identity(settings), data_.checksum,
            "events"};
  }

 private:
  collisions::Generated data_;
};

}  // namespace
}  // namespace betatune::sequences

BETATUNE_TRAINER(betatune::sequences::Sequences, "torch_sequences", "1");
