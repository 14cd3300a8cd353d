/// The plug-in `torch_higgs`: a multi-layer perceptron that tells Higgs bosons from top quarks.

#include <cmath>

#include "trainers/torch/engine/auc.hpp"
#include "trainers/torch/engine/trainer.hpp"
#include "trainers/torch/higgs/events.hpp"
#include "trainers/torch/higgs/network.hpp"

namespace betatune::higgs {
namespace {

class Higgs final : public engine::EpochTrainer {
 public:
  using EpochTrainer::EpochTrainer;

 protected:
  engine::Training prepare(const betatune_job& job) override {
    const Settings settings = read_settings(job.params_json, job.config_json);
    data_ = make_events(settings.data);
    return {settings, event_task(settings, data_), training_identity(settings), data_.checksum,
            "events"};
  }

  void add_metrics(engine::Part part, const std::string& prefix, const engine::Score& score,
                   engine::Metrics& metrics) const override {
    const auto& labels = data_.of(part).labels;
    metrics[prefix + "auc"] = score.discriminants.size() == labels.size()
                                  ? engine::area_under_curve(score.discriminants, labels)
                                  : NAN;
  }

 private:
  collisions::Generated data_;
};

}  // namespace
}  // namespace betatune::higgs

BETATUNE_TRAINER(betatune::higgs::Higgs, "torch_higgs", "1");
