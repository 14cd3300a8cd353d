/// `evolution`: regularized evolution, for large spaces of choices and conditions.
///
/// source: Real et al. 2019, arXiv:1802.01548: the youngest results are the population, the best of
/// a random few is varied, the oldest dies, however good it was.

#include <algorithm>
#include <cmath>

#include "optimizer/evolution/mutation.hpp"
#include "optimizer/gp/observations.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/searchers/start_up.hpp"

namespace betatune {
namespace {

constexpr int kAttempts = 64;  ///< children that may all be known or infeasible

struct EvolutionOptions {
  std::int64_t population = 30;
  std::int64_t tournament = 30;
  static constexpr auto fields() {
    return std::tuple{defaulted("population", &EvolutionOptions::population,
                                "The youngest results, among which parents are chosen."),
                      defaulted("tournament", &EvolutionOptions::tournament,
                                "How many of them are drawn, one may be drawn twice, to choose the "
                                "best one as parent.")};
  }
};

class EvolutionSearcher : public Searcher {
 public:
  EvolutionSearcher(const StudySpec& spec, const EvolutionOptions& options)
      : options_(options), start_up_(spec, (options.population + 1) / 2) {}

  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    seen_.sync(history);
    FreshBatch batch(history, seen_);
    const Observations data = collector_.collect(history);
    const int design = start_up_.due(history, data.finite > 0, count);
    std::vector<Suggestion> out;
    if (design > 0) out = start_up_.suggest(history, seen_, batch, design, key);
    if (design == count || std::ssize(out) < design) return out;
    while (std::ssize(out) < count) {
      const Key own = fold_in(fold_in(key, "evolution"), out.size());
      std::optional<Suggestion> next = child(history, data, batch, own);
      if (!next) break;
      batch.take(next->configuration);
      out.push_back(std::move(*next));
    }
    return out;
  }

  bool asks_ahead() const override { return false; }

 private:
  /// The winner of a tournament: a row of the observations. A failure loses against everything.
  Eigen::Index parent(const Observations& data, Stream& stream) const {
    const Eigen::Index alive = std::min<Eigen::Index>(options_.population, data.size());
    Eigen::Index best = -1;
    for (std::int64_t i = 0; i < options_.tournament; ++i) {
      const auto age = static_cast<Eigen::Index>(stream.below(static_cast<std::uint64_t>(alive)));
      const Eigen::Index row = data.size() - 1 - age;
      const bool better = best < 0 || data.merits[row] < data.merits[best] ||
                          (std::isnan(data.merits[best]) && !std::isnan(data.merits[row]));
      if (better) best = row;
    }
    return best;
  }

  std::optional<Suggestion> child(const History& history, const Observations& data,
                                  const FreshBatch& batch, Key key) const {
    const SearchSpace& space = history.space();
    Stream stream(key);
    for (int i = 0; i < kAttempts; ++i) {
      const Eigen::Index row = parent(data, stream);
      Configuration made = space.decode(mutate(space, data.points.row(row).transpose(), stream));
      if (!space.satisfies_constraints(made) || !batch.is_fresh(made)) continue;
      const std::size_t trial = data.trials[static_cast<std::size_t>(row)];
      return Suggestion{std::move(made), "evolution", Json{{"parent", trial}}};
    }
    std::optional<Configuration> drawn = batch.draw(key);
    if (!drawn) return std::nullopt;
    return Suggestion{std::move(*drawn), "random", nullptr};
  }

  EvolutionOptions options_;
  StartUp start_up_;
  // Caches: they hold what a cold start would compute again.
  mutable SeenTrials seen_;
  mutable ObservationCollector collector_;
};

std::unique_ptr<Searcher> make(const PolicyContext& context, const EvolutionOptions& options,
                               const ConfigNode& node, Diagnostics& problems) {
  const std::size_t before = problems.problems().size();
  if (options.population < 2) {
    problems.error("E0408", "`algorithm.population` must be at least 2", node.mark());
  }
  if (options.tournament < 1) {
    problems.error("E0408", "`algorithm.tournament` must be at least 1", node.mark());
  }
  if (problems.problems().size() != before) return nullptr;
  return std::make_unique<EvolutionSearcher>(context.spec, options);
}

const bool registered = SearcherRegistry::add<EvolutionOptions>(
    "evolution", "Regularized evolution: for large spaces of choices and conditions.", make);

}  // namespace
}  // namespace betatune
