/// `auto`: a Gaussian process of the whole space and a local search round the best result, taking
/// turns. The first finds the valley, the second its bottom; which of them gets more of the trials
/// follows from which of them found better configurations lately.

#include <algorithm>
#include <cmath>

#include "optimizer/local/local_step.hpp"
#include "optimizer/local/near_pairs.hpp"
#include "optimizer/numerics/turns.hpp"
#include "optimizer/searchers/gp_core.hpp"

namespace betatune {
namespace {

constexpr double kSwing = 0.3;         ///< how far success moves the local share from a half
constexpr double kShareAtRest = 0.15;  ///< of local trials once they promise nothing
constexpr double kSmallestRadius = 1e-7;
constexpr double kLargestStretch = 8;  ///< of the region along a parameter, and its inverse
/// Noise above this share of a step's promise: its answer would say nothing.
constexpr double kDrowned = 0.5;
/// Log of a probability to meet the outcome constraints, below which a local step is not taken.
constexpr double kUnlikely = -0.6931471805599453;

class AutoSearcher : public Searcher {
 public:
  AutoSearcher(const StudySpec& spec, GpOptions options) : core_(spec, options) {}

  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    const SearchSpace& space = history.space();
    std::optional<TrustRegion> region;  // not needed before the design is over
    const auto choose = [&](const GpRound& round, const Observations& data, FreshBatch& batch,
                            std::size_t index) {
      if (!region) region = fold_trust_region(history, data);
      // With several objectives there is no one valley to follow.
      if (round.has_front()) region->centre.reset();
      const Key own = fold_in(fold_in(key, "auto"), index);
      std::optional<Suggestion> next;
      const std::size_t turn = history.trials.configurations() + history.queued.size() + index;
      if (is_local_turn(*region, turn)) {
        next = suggest_local(space, data, round, *region, batch, own);
      }
      return next ? next : suggest_from_model(round, batch, own);
    };
    return core_.suggest(history, count, key, choose);
  }

  std::optional<Configuration> recommend(const History& history) const override {
    const std::optional<Configuration> modelled = core_.recommend(history);
    return modelled ? modelled : Searcher::recommend(history);
  }

  bool asks_ahead() const override { return false; }

 private:
  static bool is_local_turn(const TrustRegion& region, std::size_t trial) {
    if (!region.centre || region.radius < kSmallestRadius) return false;
    const double balance =
        (region.local_rate - region.other_rate) / (region.local_rate + region.other_rate);
    const double share = region.converged ? kShareAtRest : 0.5 + kSwing * balance;
    return has_turn(trial, share);
  }

  /// The region is wider along parameters to which the whole space's model gives long
  /// length-scales: in a narrow valley a cube is as small as the valley is narrow. As TuRBO has it,
  /// but not before there are as many results as a quadratic has coefficients: length-scales from
  /// fewer mean little, and the local model has to find by itself that a bowl is round.
  static Eigen::VectorXd stretch_of(const GpRound& round, const Observations& data) {
    const Eigen::VectorXd best = data.points.row(round.best_row()).transpose();
    const Eigen::ArrayXd logs = round.gp().lengthscales_at(best).array().log();
    if (2 * data.finite < logs.size() * (logs.size() + 1)) return {};
    const double most = std::log(kLargestStretch);
    return (logs - logs.mean()).max(-most).min(most).exp().matrix();
  }

  static std::optional<Suggestion> suggest_local(const SearchSpace& space, const Observations& data,
                                                 const GpRound& round, const TrustRegion& region,
                                                 FreshBatch& batch, Key key) {
    if (!round.has_feasible()) return std::nullopt;
    const double noise = noise_of_near_pairs(data);
    const std::optional<LocalStep> step = propose_local(
        space, data, {round.best_row(), region.radius, noise, stretch_of(round, data)},
        round.pending(), key);
    if (!step || std::max(noise, step->noise) > kDrowned * step->note.predicted)
      return std::nullopt;
    // The local model knows of the loss alone, and would follow it across a limit.
    if (round.log_feasible(step->point).value_or(0) < kUnlikely) return std::nullopt;
    Configuration configuration = space.decode(step->point);
    if (!space.satisfies_constraints(configuration) || !batch.take(configuration)) {
      return std::nullopt;
    }
    return Suggestion{std::move(configuration), kLocalOrigin, step->note.to_json()};
  }

  mutable GpCore core_;
};

std::unique_ptr<Searcher> make(const PolicyContext& context, const GpOptions& options,
                               const ConfigNode& node, Diagnostics& problems) {
  if (!options.check(node, problems)) return nullptr;
  return std::make_unique<AutoSearcher>(context.spec, options);
}

const bool registered = SearcherRegistry::add<GpOptions>(
    "auto", "Chooses for you: a Gaussian process and a local search, taking turns.", make);

}  // namespace
}  // namespace betatune
