#include "trainers/torch/distributed/communication_tuner.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace betatune::distributed {
namespace {

using Json = nlohmann::json;

/// Steps that are not timed: at the start of a training libtorch chooses algorithms and fills its
/// caches; after each change buckets are made anew.
constexpr int kFirstSteps = 5, kStepsAfterChange = 1;

std::string path_of(const std::string& directory) {
  return (std::filesystem::path(directory) / "communication.json").string();
}

std::string short_text(double x) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", x);
  return text.data();
}

double mebibytes(std::size_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

}  // namespace

CommunicationTuner::CommunicationTuner(Communicator& communicator, Reducer& reducer,
                                       const BucketLimits& buckets, int window)
    : communicator_(communicator),
      reducer_(reducer),
      space_{{buckets, communicator.piece()}, reducer.gradient_sizes(), communicator.pieces()},
      window_(window),
      tuning_(tune(space_, scores_)),
      used_(space_.start),
      skipped_(kFirstSteps) {}

void CommunicationTuner::use(const Knobs& knobs) {
  if (knobs == used_) return;
  used_ = knobs;
  reducer_.set_limits(knobs.buckets);
  if (knobs.piece_bytes != 0) communicator_.set_piece(knobs.piece_bytes);
  skipped_ = std::max(skipped_, kStepsAfterChange);
}

void CommunicationTuner::stepped() {
  if (!tuning_.next) return;
  const auto now = Clock::now();
  if (timed_ && skipped_ == 0) {
    seconds_.push_back(std::chrono::duration<double>(now - last_).count());
  }
  skipped_ = std::max(0, skipped_ - 1);
  if (seconds_.size() == static_cast<std::size_t>(window_)) {
    // The median: a last batch is smaller, and other programs take a step's time now and then.
    const auto middle = seconds_.begin() + window_ / 2;
    std::nth_element(seconds_.begin(), middle, seconds_.end());
    std::vector<double> sum{*middle};
    communicator_.sum(sum);
    scores_.push_back(sum[0] / communicator_.size());
    seconds_.clear();
    go_on();
  }
  timed_ = true;
  last_ = Clock::now();
}

void CommunicationTuner::go_on() {
  tuning_ = tune(space_, scores_);
  use(tuning_.next ? *tuning_.next : tuning_.best);
  if (tuning_.next) return;
  news_ = "communication tuned in " + std::to_string(scores_.size()) + " windows of " +
          std::to_string(window_) + " steps: " + text_of_best();
}

std::string CommunicationTuner::text_of_best() const {
  const Knobs& best = tuning_.best;
  std::string text = "bucket_mib " + short_text(mebibytes(best.buckets.bytes)) +
                     ", first_bucket_mib " + short_text(mebibytes(best.buckets.first_bytes));
  if (best.piece_bytes != 0) {
    text += ", pieces of " + std::to_string(best.piece_bytes >> 10) + " KiB";
  }
  if (best == space_.start) return text + ", as before: nothing else was faster";
  return text + "; a step takes " + short_text(1 / tuning_.speed_up) + " of the time before";
}

std::map<std::string, double> CommunicationTuner::metrics() const {
  if (tuning_.next) return {};
  const Knobs& best = tuning_.best;
  std::map<std::string, double> metrics{
      {"tuned_bucket_mib", mebibytes(best.buckets.bytes)},
      {"tuned_first_bucket_mib", mebibytes(best.buckets.first_bytes)},
      {"tuned_speed_up", tuning_.speed_up}};
  if (best.piece_bytes != 0) {
    metrics["tuned_piece_kib"] = static_cast<double>(best.piece_bytes) / (1 << 10);
  }
  return metrics;
}

/// Where scores of one gang mean nothing to another.
std::string CommunicationTuner::circumstances() const {
  const Knobs& start = space_.start;
  std::size_t bytes = 0;
  for (const GradientSize& gradient : space_.gradients) bytes += gradient.bytes;
  return std::to_string(communicator_.size()) + " ranks over " + communicator_.name() + ", " +
         std::to_string(space_.gradients.size()) + " gradients of " + std::to_string(bytes) +
         " bytes, from " + std::to_string(start.buckets.first_bytes) + " and " +
         std::to_string(start.buckets.bytes) + ", windows of " + std::to_string(window_);
}

void CommunicationTuner::save(const std::string& directory) const {
  if (communicator_.rank() != 0) return;
  const std::string path = path_of(directory);
  std::ofstream file(path);
  file << Json{{"version", 1}, {"of", circumstances()}, {"seconds", scores_}}.dump(2) << '\n';
  if (!file.flush()) throw plugin::Failure(BETATUNE_INFRA, "cannot write " + path);
}

void CommunicationTuner::load(const std::string& directory) {
  const std::string path = path_of(directory);
  // Of a training by one rank, or from before the setting was made.
  if (!std::filesystem::exists(path)) {
    news_ = "communication is tuned anew: it was not when the checkpoint was saved";
    return;
  }
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json stored = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto is_time = [](const Json& x) { return x.is_number() && x.get<double>() > 0; };
  const bool sound = file && stored.is_object() && stored.value("version", Json()) == 1 &&
                     stored.value("of", Json()).is_string() && stored.contains("seconds") &&
                     stored["seconds"].is_array() && stored["seconds"].size() <= kTuningScores &&
                     std::all_of(stored["seconds"].begin(), stored["seconds"].end(), is_time);
  if (!sound) {
    throw plugin::Failure(BETATUNE_CHECKPOINT,
                          "the scores of the tuned communication in " + path + " cannot be read");
  }
  if (stored["of"] != circumstances()) {
    news_ = "communication is tuned anew: the checkpoint's was of " +
            stored["of"].get<std::string>() + ", here are " + circumstances();
    return;
  }
  scores_ = stored["seconds"].get<std::vector<double>>();
  tuning_ = tune(space_, scores_);
  use(tuning_.next ? *tuning_.next : tuning_.best);
  skipped_ = kFirstSteps;
  if (!tuning_.next) news_ = "communication as tuned before: " + text_of_best();
}

}  // namespace betatune::distributed
