#include "optimizer/local/trust_region.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace betatune {
namespace {

constexpr double kFirstRadius = 0.1;  ///< in the unit cube, as all radii
constexpr double kLargestRadius = 0.5;
constexpr double kRestartRadius = 0.025;  ///< at least, where another method found a new best
constexpr double kMaterial = 1e-4;
constexpr double kForget = 0.9;  ///< weight of a trial against the next of its kind
// Of the predicted decrease: more was a good step, less a failure.
constexpr double kGood = 0.7, kBad = 0.1;
constexpr int kFailures = 3;  ///< in a row that shrink the region whatever the model knew

/// What trials count with, and which of them count.
class Results {
 public:
  Results(const History& history, const Observations& data) : expected_(data.expected) {
    if (!expected_) return;
    rows_.assign(history.trials.size(), {});
    for (Eigen::Index i = 0; i < data.size(); ++i) {
      Row& row = rows_[data.trials[static_cast<std::size_t>(i)]];
      row.known = true;
      if (data.meets_limits(i)) row.loss = data.losses[i];
    }
  }
  /// Trained for good, with all repeats; these count with the first of them. Where curves say what
  /// is to be expected, from its first loss on.
  bool is_over(const Trial& trial) const {
    if (expected_) return rows_[trial.id.n].known;
    if (trial.repeats || trial.state != TrialState::closed) return false;
    return trial.repeated_by.empty() || trial.standing;
  }
  /// A result that breaks outcome constraints leads nowhere: it counts as none.
  std::optional<double> loss_of(const Trial& trial) const {
    if (expected_) return rows_[trial.id.n].loss;
    if (trial.repeated_by.empty()) return trial.violation == 0 ? trial.loss : std::nullopt;
    const bool counts = trial.standing && trial.standing->violation == 0;
    return counts ? std::optional(trial.standing->loss) : std::nullopt;
  }
  /// Where a step began. What was expected of the centre then may be known better now.
  double beginning(const LocalNote& step, const TrustRegion& region) const {
    return expected_ && region.centre ? region.loss : step.from;
  }

 private:
  struct Row {
    bool known = false;
    std::optional<double> loss;
  };
  bool expected_;
  std::vector<Row> rows_;
};

/// What a result must be lower by to count.
double material_decrease(const History& history, const Results& results) {
  std::vector<double> losses;
  for (const Trial& trial : history.trials) {
    if (!results.is_over(trial)) continue;
    if (const std::optional<double> loss = results.loss_of(trial)) losses.push_back(*loss);
  }
  if (losses.empty()) return 0;
  const auto middle = losses.begin() + std::ssize(losses) / 2;
  std::nth_element(losses.begin(), middle, losses.end());
  return kMaterial * (*middle - *std::min_element(losses.begin(), losses.end()));
}

/// A frequency that forgets, with a prior of one trial that half succeeded.
class Rate {
 public:
  void add(bool success) {
    wins_ = kForget * wins_ + (success ? 1 : 0);
    trials_ = kForget * trials_ + 1;
  }
  double value() const { return (wins_ + 0.5) / (trials_ + 1); }

 private:
  double wins_ = 0, trials_ = 0;
};

class Fold {
 public:
  Fold(const Results& results, double material) : results_(results), material_(material) {
    out_.radius = kFirstRadius;
  }

  void add(const Trial& trial) {
    const double loss = results_.loss_of(trial).value_or(std::numeric_limits<double>::infinity());
    const bool better = !out_.centre || loss < out_.loss;
    const bool worth = better && (!out_.centre || out_.loss - loss > material_);
    if (const std::optional<LocalNote> note = LocalNote::of(trial)) {
      ++out_.local;
      local_.add(worth);
      promised_ = note->predicted;
      resize(*note, results_.beginning(*note, out_) - loss, better);
    } else {
      ++out_.others;
      other_.add(worth);
      if (worth) {
        promised_ = std::numeric_limits<double>::infinity();
        out_.radius = std::max(out_.radius, kRestartRadius);
      }
    }
    if (!better || !std::isfinite(loss)) return;
    out_.centre = trial.id.n;
    out_.loss = loss;
  }

  TrustRegion result() {
    out_.local_rate = local_.value();
    out_.other_rate = other_.value();
    out_.converged = promised_ < material_ && out_.radius < kFirstRadius;
    return out_;
  }

 private:
  /// Radii are taken from the trial's note: of several steps that were tried at once, the first
  /// failure shrinks the region and the others confirm it.
  void resize(const LocalNote& step, double gained, bool better) {
    if (better && gained > kGood * step.predicted && step.reach > 0.8) {
      out_.radius = std::max(out_.radius, std::min(2 * step.radius, kLargestRadius));
    }
    if (better) failures_ = 0;
    if (gained >= kBad * step.predicted) return;
    // A model that was sure of its step was wrong about the size of the region; one that was not
    // has learned something.
    if (++failures_ < kFailures && step.deviation >= step.predicted) return;
    failures_ = 0;
    out_.radius = std::min(out_.radius, 0.5 * std::max(1.0, step.reach) * step.radius);
  }

  const Results& results_;
  double material_;
  double promised_ = std::numeric_limits<double>::infinity();
  int failures_ = 0;
  Rate local_, other_;
  TrustRegion out_;
};

}  // namespace

Json LocalNote::to_json() const {
  return Json{{"radius", radius},
              {"predicted", predicted},
              {"deviation", deviation},
              {"reach", reach},
              {"from", from}};
}

std::optional<LocalNote> LocalNote::of(const Trial& trial) {
  if (trial.origin != kLocalOrigin || trial.note == nullptr) return std::nullopt;
  const Json& note = *trial.note;
  const auto number = [&note](const char* name) {
    const auto found = note.find(name);
    return found != note.end() && found->is_number() ? found->get<double>() : 0.0;
  };
  return LocalNote{number("radius"), number("predicted"), number("deviation"), number("reach"),
                   number("from")};
}

TrustRegion fold_trust_region(const History& history, const Observations& data) {
  const Results results(history, data);
  Fold fold(results, material_decrease(history, results));
  for (const Trial& trial : history.trials) {
    if (results.is_over(trial)) fold.add(trial);
  }
  return fold.result();
}

}  // namespace betatune
