/// The plug-in `torch_classifier`: an image classifier (MLP or CNN) whose steps are epochs.

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "trainers/torch/dataset.hpp"
#include "trainers/torch/learner.hpp"
#include "trainers/torch/settings.hpp"
#include "trainers/trainer.hpp"

namespace betatune::classifier {
namespace {

using Json = nlohmann::json;

constexpr int kCheckpointVersion = 1;
constexpr std::int32_t kInfo = 1, kWarning = 2;

Json finite_or_text(double x) {
  if (std::isnan(x)) return "NaN";
  if (std::isinf(x)) return x > 0 ? "Infinity" : "-Infinity";
  return x;
}

class Classifier final : public plugin::Trainer {
 public:
  explicit Classifier(plugin::Host host) : host_(host) {}

  void setup(const betatune_job& job) override;
  void train(std::int64_t until_step) override;
  void save(const std::string& directory) override;
  void load(const std::string& directory) override;

 private:
  plugin::Verdict run_epoch(std::int64_t epoch, bool last);
  Json checkpoint_text() const;

  plugin::Host host_;
  Settings settings_;
  Dataset data_;
  std::uint64_t seed_ = 0;
  std::unique_ptr<Learner> learner_;
  std::int64_t epoch_ = 0;  ///< done
};

void Classifier::setup(const betatune_job& job) {
  if (job.world_size > 1) {
    throw plugin::Failure(BETATUNE_ERROR,
                          "torch_classifier trains in one process; set "
                          "resources so that a trial has one rank");
  }
  settings_ = read_settings(job.params_json, job.config_json);
  seed_ = job.seed;
  data_ = load_dataset(settings_.data);
  if (const auto warning = slow_blas_warning(); !warning.empty()) host_.log(kWarning, warning);
  const Machine machine{job.cpus, job.gpus > 0};
  learner_ = std::make_unique<Learner>(settings_, data_, seed_, machine);
  if (machine.use_gpu && !learner_->on_gpu()) {
    host_.log(kWarning,
              "the trial was given a GPU, but libtorch sees none: training on the CPU. Look at the "
              "driver, at CUDA_VISIBLE_DEVICES, and whether this libtorch was built with CUDA");
  }
  host_.log(kInfo, std::to_string(learner_->parameter_count()) + " parameters, " +
                       std::to_string(data_.train.count) + " training images, " +
                       learner_->description());
}

void Classifier::train(std::int64_t until_step) {
  if (until_step > settings_.epochs) {
    throw plugin::Failure(BETATUNE_ERROR,
                          "asked to train to epoch " + std::to_string(until_step) +
                              ", but trainer.config.epochs is " + std::to_string(settings_.epochs) +
                              "; give it the value of fidelity.max, the length of a full training");
  }
  while (epoch_ < until_step) {
    const auto verdict = run_epoch(epoch_ + 1, epoch_ + 1 == until_step);
    if (verdict != plugin::Verdict::go_on) return;
  }
}

/// The test set is looked at where a trial may end for good: at the last epoch of each call.
plugin::Verdict Classifier::run_epoch(std::int64_t epoch, bool last) {
  const EpochResult result = learner_->train_epoch(epoch);
  const bool trained = std::isfinite(result.loss);
  const Score validation = trained ? learner_->score(data_.validation) : Score{NAN, NAN};
  Json metrics = {{"train_loss", finite_or_text(result.loss)},
                  {"val_loss", finite_or_text(validation.loss)},
                  {"learning_rate", result.last_learning_rate},
                  {"seconds_per_epoch", result.seconds},
                  {"samples_per_second", static_cast<double>(result.samples) / result.seconds}};
  const bool diverged = !trained || !std::isfinite(validation.loss);
  metrics["val_accuracy"] = finite_or_text(diverged ? NAN : validation.accuracy);
  metrics["val_error"] = finite_or_text(diverged ? NAN : 1 - validation.accuracy);
  if (epoch == 1) metrics["parameters"] = learner_->parameter_count();
  if (last && !diverged) metrics["test_accuracy"] = learner_->score(data_.test).accuracy;
  epoch_ = epoch;
  const auto verdict = host_.report_json(epoch, metrics.dump());
  if (diverged) {
    throw plugin::Failure(BETATUNE_DIVERGED, "the loss is not finite in epoch " +
                                                 std::to_string(epoch) +
                                                 "; a lower lr, or warmup, may help");
  }
  return verdict;
}

Json Classifier::checkpoint_text() const {
  return {{"version", kCheckpointVersion},
          {"epoch", epoch_},
          {"seed", seed_},
          {"data_checksum", data_.checksum},
          {"training", training_identity(settings_)}};
}

void Classifier::save(const std::string& directory) {
  learner_->save(directory);
  std::ofstream file(std::filesystem::path(directory) / "checkpoint.json");
  file << checkpoint_text().dump(2) << '\n';
  if (!file.flush()) {
    throw plugin::Failure(BETATUNE_INFRA, "cannot write " + directory + "/checkpoint.json");
  }
}

void Classifier::load(const std::string& directory) {
  const std::string path = directory + "/checkpoint.json";
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json stored = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto fail = [&](const std::string& why) {
    throw plugin::Failure(BETATUNE_ERROR, "cannot go on from " + directory + ": " + why);
  };
  if (!file || !stored.is_object()) fail("checkpoint.json is missing or damaged");
  Json expected = checkpoint_text();
  const Json epoch = stored.value("epoch", Json());
  if (!epoch.is_number_integer() || epoch < 0 || epoch > settings_.epochs) {
    fail("its epoch is " + epoch.dump());
  }
  expected["epoch"] = epoch;
  for (const auto& [key, value] : expected.items()) {
    if (stored.value(key, Json()) != value) {
      fail("it was made by another training: `" + key + "` is " + stored.value(key, Json()).dump() +
           ", here " + value.dump());
    }
  }
  learner_->load(directory);
  epoch_ = epoch.get<std::int64_t>();
}

}  // namespace
}  // namespace betatune::classifier

BETATUNE_TRAINER(betatune::classifier::Classifier, "torch_classifier", "1");
