#include "trainers/torch/engine/trainer.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "trainers/torch/engine/gang.hpp"

namespace betatune::engine {
namespace {

using Json = nlohmann::json;

constexpr int kCheckpointVersion = 1;
constexpr std::int32_t kInfo = 1, kWarning = 2;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Json finite_or_text(double x) {
  if (std::isnan(x)) return "NaN";
  if (std::isinf(x)) return x > 0 ? "Infinity" : "-Infinity";
  return x;
}

/// Keys in order, numbers and spaces in one way.
std::string canonical(const char* json) {
  return Json::parse(json, nullptr, /*allow_exceptions=*/false).dump();
}

}  // namespace

EpochTrainer::EpochTrainer(plugin::Host host) : host_(host) {}

EpochTrainer::~EpochTrainer() = default;

void EpochTrainer::add_metrics(Part, const std::string&, const Score&, Metrics&) const {}

void EpochTrainer::setup(const betatune_job& job) {
  training_ = prepare(job);
  if (training_.identity.empty()) {
    training_.identity = canonical(job.params_json) + canonical(job.config_json);
  }
  seed_ = job.seed;
  rank_ = job.rank;
  if (const auto warning = slow_blas_warning(); !warning.empty()) host_.log(kWarning, warning);
  const Machine machine{job.cpus, job.gpus > 0, job.local_rank};
  engine_ = std::make_unique<Engine>(training_.recipe, training_.task, seed_, machine,
                                     join_gang(job, training_.recipe, host_));
  if (machine.use_gpu && !engine_->on_gpu()) {
    host_.log(kWarning,
              "the trial was given a GPU, but libtorch sees none: training on the CPU. Look at the "
              "driver, at CUDA_VISIBLE_DEVICES, and whether this libtorch was built with CUDA");
  }
  host_.log(kInfo, std::to_string(engine_->parameter_count()) + " parameters, " +
                       std::to_string(engine_->count(Part::train)) + " training " +
                       training_.samples + ", " + engine_->description());
}

void EpochTrainer::train(std::int64_t until_step) {
  const std::int64_t epochs = training_.recipe.epochs;
  if (until_step > epochs) {
    throw plugin::Failure(BETATUNE_ERROR,
                          "asked to train to epoch " + std::to_string(until_step) +
                              ", but trainer.config.epochs is " + std::to_string(epochs) +
                              "; give it the value of fidelity.max, the length of a full training");
  }
  while (epoch_ < until_step) {
    const auto verdict = run_epoch(epoch_ + 1, epoch_ + 1 == until_step);
    if (verdict != plugin::Verdict::go_on) return;
  }
}

/// The test set is looked at where a trial may end for good: at the last epoch of each call.
void EpochTrainer::judge_epoch(const EpochResult& result, bool last, Metrics& metrics) {
  const bool trained = std::isfinite(result.loss);
  const Score validation = trained ? engine_->score(Part::validation) : Score{kNaN, kNaN, {}};
  const bool diverged = !std::isfinite(validation.loss);
  metrics["val_loss"] = validation.loss;
  if (engine_->classifies()) {
    metrics["val_accuracy"] = diverged ? kNaN : validation.accuracy;
    metrics["val_error"] = diverged ? kNaN : 1 - validation.accuracy;
  }
  add_metrics(Part::validation, "val_", validation, metrics);
  if (!last || diverged || engine_->count(Part::test) == 0) return;
  const Score test = engine_->score(Part::test);
  metrics[engine_->classifies() ? "test_accuracy" : "test_loss"] =
      engine_->classifies() ? test.accuracy : test.loss;
  add_metrics(Part::test, "test_", test, metrics);
}

plugin::Verdict EpochTrainer::run_epoch(std::int64_t epoch, bool last) {
  const EpochResult result = engine_->train_epoch(epoch);
  Metrics metrics = {{"train_loss", result.loss},
                     {"learning_rate", result.last_learning_rate},
                     {"seconds_per_epoch", result.seconds},
                     {"samples_per_second", static_cast<double>(result.samples) / result.seconds}};
  if (result.waited_seconds) {
    metrics["communication_share"] = *result.waited_seconds / result.seconds;
  }
  metrics.insert(result.metrics.begin(), result.metrics.end());
  if (!result.news.empty()) host_.log(kInfo, result.news);
  judge_epoch(result, last, metrics);
  Json report;
  for (const auto& [name, number] : metrics) report[name] = finite_or_text(number);
  if (epoch == 1) report["parameters"] = engine_->parameter_count();
  epoch_ = epoch;
  const auto verdict = host_.report_json(epoch, report.dump());
  if (!std::isfinite(result.loss) || !std::isfinite(metrics["val_loss"])) {
    throw plugin::Failure(BETATUNE_DIVERGED, "the loss is not finite in epoch " +
                                                 std::to_string(epoch) +
                                                 "; a lower lr, or warmup, may help");
  }
  return verdict;
}

Json EpochTrainer::checkpoint_text() const {
  return {{"version", kCheckpointVersion},
          {"epoch", epoch_},
          {"seed", seed_},
          {"data_checksum", training_.data_checksum},
          {"training", training_.identity}};
}

void EpochTrainer::save(const std::string& directory) {
  engine_->save(directory);
  if (rank_ != 0) return;
  std::ofstream file(std::filesystem::path(directory) / "checkpoint.json");
  file << checkpoint_text().dump(2) << '\n';
  if (!file.flush()) {
    throw plugin::Failure(BETATUNE_INFRA, "cannot write " + directory + "/checkpoint.json");
  }
}

void EpochTrainer::load(const std::string& directory) {
  const std::string path = directory + "/checkpoint.json";
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json stored = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto fail = [&](const std::string& why) {
    throw plugin::Failure(BETATUNE_ERROR, "cannot go on from " + directory + ": " + why);
  };
  if (!file || !stored.is_object()) fail("checkpoint.json is missing or damaged");
  Json expected = checkpoint_text();
  const Json text_of_other = stored.value("training", Json());
  const std::string training = text_of_other.is_string() ? text_of_other.get<std::string>() : "";
  if (lasting_part(training) == lasting_part(training_.identity)) {
    // A copy of another trial has a seed of its own, and other rates.
    if (training != training_.identity) {
      host_.log(kInfo, "goes on from a training with other settings: " + training);
    }
    expected["training"] = training;
    expected.erase("seed");
  }
  const Json epoch = stored.value("epoch", Json());
  if (!epoch.is_number_integer() || epoch < 0 || epoch > training_.recipe.epochs) {
    fail("its epoch is " + epoch.dump());
  }
  expected["epoch"] = epoch;
  for (const auto& [key, value] : expected.items()) {
    if (stored.value(key, Json()) != value) {
      fail("it was made by another training: `" + key + "` is " + stored.value(key, Json()).dump() +
           ", here " + value.dump());
    }
  }
  engine_->load(directory);
  epoch_ = epoch.get<std::int64_t>();
}

}  // namespace betatune::engine
