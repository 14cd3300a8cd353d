/// `gp`: Bayesian optimization with a Gaussian process and log expected improvement. `auto` means
/// it.

#include <algorithm>
#include <cmath>

#include "optimizer/gp/model.hpp"
#include "optimizer/gp/output_transform.hpp"
#include "optimizer/gp/proposal.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/searchers/design.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kIncumbents = 4;  ///< results whose neighbourhood is looked at

struct GpOptions {
  int raw_points = 1024;
  int starts = 8;
  static constexpr auto fields() {
    return std::tuple{
        defaulted(
            "raw_points", &GpOptions::raw_points,
            "Points at which the acquisition function is compared before the best are improved."),
        defaulted("starts", &GpOptions::starts,
                  "How many of them are improved along the gradient.")};
  }
};

/// Rows of the lowest fitted values, best first.
RowMatrix best_points(const Observations& data, Eigen::Index count) {
  std::vector<Eigen::Index> order;
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    if (!std::isnan(data.losses[i])) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](Eigen::Index a, Eigen::Index b) { return data.losses[a] < data.losses[b]; });
  RowMatrix out(std::min<Eigen::Index>(count, std::ssize(order)), data.points.cols());
  for (Eigen::Index i = 0; i < out.rows(); ++i) {
    out.row(i) = data.points.row(order[static_cast<std::size_t>(i)]);
  }
  return out;
}

class GpSearcher : public Searcher {
 public:
  GpSearcher(const StudySpec& spec, GpOptions options)
      : options_(options), model_(spec.space.columns()) {
    const std::int64_t dims = spec.space.dims();
    initial_ = spec.algorithm.initial.count.value_or(std::clamp<std::int64_t>(dims + 1, 5, 20));
    random_design_ = spec.algorithm.initial.design == "random";
  }

  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    seen_.sync(history);
    FreshBatch batch(history, seen_);
    std::vector<Suggestion> out;
    const auto spoken_for =
        std::ssize(history.queued) + static_cast<std::int64_t>(history.trials.size());
    const Observations data = collector_.collect(history);
    // Failures count as results, or a space that mostly fails would never get a model.
    const bool informed = data.finite > 0 && data.size() >= std::min<std::int64_t>(2, initial_);
    std::int64_t design = informed ? std::min<std::int64_t>(count, initial_ - spoken_for) : count;
    if (history.space().dims() == 0) design = count;
    if (design > 0) out = suggest_design(history, batch, static_cast<int>(design), key);
    if (design == count || std::ssize(out) < design) return out;
    suggest_from_model(data, history, batch, count, key, out);
    return out;
  }

  std::optional<Configuration> recommend(const History& history) const override {
    const Observations data = collector_.collect(history);
    if (data.finite < 2) return Searcher::recommend(history);
    GaussianProcess& gp = model_.condition(data);
    const Eigen::VectorXd mean = gp.predict(gp.map().map(data.points), false).mean;
    Eigen::Index best = -1;
    for (Eigen::Index i = 0; i < data.size(); ++i) {
      if (!std::isnan(data.losses[i]) && (best < 0 || mean[i] < mean[best])) best = i;
    }
    const TrialId trial{data.trials[static_cast<std::size_t>(best)]};
    return *history.trials[trial].configuration;
  }

  bool asks_ahead() const override { return false; }

 private:
  std::vector<Suggestion> suggest_design(const History& history, FreshBatch& batch, int count,
                                         Key key) const {
    if (!random_design_) return suggest_sobol(history, seen_, batch, count, key);
    std::vector<Suggestion> out;
    for (int i = 0; i < count; ++i) {
      std::optional<Configuration> drawn = batch.draw(fold_in(key, static_cast<std::uint64_t>(i)));
      if (!drawn) break;
      batch.take(*drawn);
      out.push_back({std::move(*drawn), "random", nullptr});
    }
    return out;
  }

  void suggest_from_model(const Observations& data, const History& history, FreshBatch& batch,
                          int count, Key key, std::vector<Suggestion>& out) const {
    const SearchSpace& space = history.space();
    GaussianProcess& gp = model_.condition(data);
    double best = gp.fitted().minCoeff();
    pend(gp, data.pending, best);
    for (const Suggestion& each : out) {
      pend(gp, space.encode(each.configuration).transpose(), best);
    }
    ProposalOptions options;
    options.raw_points = options_.raw_points;
    options.starts = options_.starts;
    const RowMatrix incumbents = best_points(data, kIncumbents);
    while (std::ssize(out) < count) {
      const Key own = fold_in(fold_in(key, "gp"), out.size());
      const auto found =
          Proposer(space, gp, best, incumbents, options).propose(own, [&](const auto& each) {
            return batch.is_fresh(each);
          });
      std::optional<Configuration> next;
      if (found) next = found->configuration;
      if (!next) next = batch.draw(own);
      if (!next) return;
      batch.take(*next);
      pend(gp, space.encode(*next).transpose(), best);
      Json note = nullptr;
      if (found) note = Json{{"log_ei", found->log_ei}};
      out.push_back({std::move(*next), found ? "gp" : "random", std::move(note)});
    }
  }

  /// Takes points as observed at their posterior mean: one that is believed to be the best makes it
  /// harder for its neighbours to improve on it.
  static void pend(GaussianProcess& gp, const RowMatrix& points, double& best) {
    if (points.rows() == 0) return;
    const RowMatrix features = gp.map().map(points);
    best = std::min(best, gp.predict(features, false).mean.minCoeff());
    gp.append_pending(features);
  }

  GpOptions options_;
  std::int64_t initial_ = 5;
  bool random_design_ = false;
  // Caches: they hold what a cold start would compute again.
  mutable SeenTrials seen_;
  mutable ObservationCollector collector_;
  mutable GpModel model_;
};

std::unique_ptr<Searcher> make(const PolicyContext& context, const GpOptions& options,
                               const ConfigNode& node, Diagnostics& problems) {
  const std::size_t before = problems.problems().size();
  if (options.raw_points < 16) {
    problems.error("E0408", "`algorithm.raw_points` must be at least 16", node.mark());
  }
  if (options.starts < 1) {
    problems.error("E0408", "`algorithm.starts` must be at least 1", node.mark());
  }
  if (problems.problems().size() != before) return nullptr;
  return std::make_unique<GpSearcher>(context.spec, options);
}

const bool registered = SearcherRegistry::add<GpOptions>(
    "gp", "Bayesian optimization: a Gaussian process and log expected improvement.", make);

}  // namespace
}  // namespace betatune
