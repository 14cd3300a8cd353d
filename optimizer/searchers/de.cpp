/// `de`: differential evolution without generations, for cheap trials in great number. Under the
/// scheduler `dehb` it is that of DEHB (optimizer/de/dehb.hpp).

#include <algorithm>
#include <cmath>
#include <numbers>

#include "optimizer/de/child.hpp"
#include "optimizer/de/dehb.hpp"
#include "optimizer/de/population.hpp"
#include "optimizer/evolution/mutation.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/searchers/start_up.hpp"

namespace betatune {
namespace {

constexpr int kAttempts = 32;          ///< children that may all be known or infeasible
constexpr double kSpread = 0.1;        ///< of f and cr round their centres
constexpr double kBetterShare = 0.15;  ///< of the population, among which the better parent is
constexpr std::size_t kFewest = 4;     ///< members without which there is no child

struct DeOptions {
  std::optional<std::int64_t> population;
  static constexpr auto fields() {
    return std::tuple{defaulted("population", &DeOptions::population,
                                "Slots of the population. Default: d, at least 10, at most 40.")};
  }
};

std::int64_t population_of(const StudySpec& spec, const DeOptions& options) {
  return options.population.value_or(std::clamp<std::int64_t>(spec.space.dims(), 10, 40));
}

class DeSearcher : public Searcher {
 public:
  DeSearcher(const StudySpec& spec, std::int64_t population)
      : population_(static_cast<std::size_t>(population)), start_up_(spec, population) {}

  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    seen_.sync(history);
    FreshBatch batch(history, seen_);
    const Observations data = collector_.collect(history);
    const int design = start_up_.due(history, data.finite > 0, count);
    std::vector<Suggestion> out;
    if (design > 0) out = start_up_.suggest(history, seen_, batch, design, key);
    if (design == count || std::ssize(out) < design) return out;
    DePopulation population = de_population(history, data, population_);
    while (std::ssize(out) < count) {
      const std::size_t slot = population.next();
      const Key own = fold_in(fold_in(key, "de"), out.size());
      std::optional<Suggestion> next = propose({history, data, population, batch}, slot, own);
      if (!next) break;
      ++population.slots[slot].trials;
      batch.take(next->configuration);
      out.push_back(std::move(*next));
    }
    return out;
  }

  bool asks_ahead() const override { return false; }

 private:
  /// What one call of suggest() looks at.
  struct View {
    const History& history;
    const Observations& data;
    const DePopulation& population;
    const FreshBatch& batch;
  };

  static std::optional<Suggestion> propose(const View& view, std::size_t slot, Key key) {
    const std::vector<std::size_t> ranked = view.population.ranked(view.data);
    Stream stream(key);
    if (ranked.size() >= kFewest) {
      for (int i = 0; i < 2 * kAttempts; ++i) {
        // What the population cannot reach any more, a mutation does.
        std::optional<Suggestion> made =
            i < kAttempts ? cross(view, ranked, slot, stream) : vary(view, ranked, slot, stream);
        if (made) return made;
      }
    }
    std::optional<Configuration> drawn = view.batch.draw(key);
    if (!drawn) return std::nullopt;
    return Suggestion{std::move(*drawn), "random", nullptr};
  }

  /// The row that the slot's child competes with: its own, or anyone's while it has none.
  static Eigen::Index parent_row(const View& view, const std::vector<std::size_t>& ranked,
                                 std::size_t slot, Stream& stream) {
    const std::size_t other = ranked[stream.below(ranked.size())];
    return view.population.slots[slot].best.value_or(*view.population.slots[other].best);
  }

  static std::optional<Suggestion> cross(const View& view, const std::vector<std::size_t>& ranked,
                                         std::size_t slot, Stream& stream) {
    const Eigen::Index own = parent_row(view, ranked, slot, stream);
    const auto point = [&](Eigen::Index row) {
      return fill_inactive(view.history.space(), view.data.points.row(row).transpose(), stream);
    };
    const auto some = [&] {
      return *view.population.slots[ranked[stream.below(ranked.size())]].best;
    };
    const auto top = std::max<std::size_t>(
        2, static_cast<std::size_t>(kBetterShare * static_cast<double>(ranked.size())));
    const Eigen::Index better = *view.population.slots[ranked[stream.below(top)]].best;
    Eigen::Index plus = some(), minus = some();
    while (plus == own) plus = some();
    while (minus == own || minus == plus) minus = some();
    const double f = scale(view.population.f, stream);
    const double cr = std::clamp(view.population.cr + kSpread * stream.normal(), 0.0, 1.0);
    const DeParents parents{point(own), point(better), point(plus), point(minus)};
    return accept(view, de_child(view.history.space(), parents, f, cr, stream),
                  {{"slot", slot}, {"parent", trial(view, own)}, {"f", f}, {"cr", cr}});
  }

  static std::optional<Suggestion> vary(const View& view, const std::vector<std::size_t>& ranked,
                                        std::size_t slot, Stream& stream) {
    const Eigen::Index own = parent_row(view, ranked, slot, stream);
    const Eigen::VectorXd point = view.data.points.row(own).transpose();
    return accept(view, mutate(view.history.space(), point, stream),
                  {{"slot", slot},
                   {"parent", trial(view, own)},
                   {"f", view.population.f},
                   {"cr", view.population.cr}});
  }

  static std::size_t trial(const View& view, Eigen::Index row) {
    return view.data.trials[static_cast<std::size_t>(row)];
  }

  /// From a Cauchy distribution round `centre`: large scales stay possible. At most 1, above 0.
  static double scale(double centre, Stream& stream) {
    double f = 0;
    while (f <= 0) {
      f = centre + kSpread * std::tan(std::numbers::pi * (stream.uniform() - 0.5));
    }
    return std::min(f, 1.0);
  }

  static std::optional<Suggestion> accept(const View& view, const Eigen::VectorXd& child,
                                          Json note) {
    const SearchSpace& space = view.history.space();
    Configuration made = space.decode(child);
    if (!space.satisfies_constraints(made) || !view.batch.is_fresh(made)) return std::nullopt;
    return Suggestion{std::move(made), kDeOrigin, std::move(note)};
  }

  std::size_t population_;
  StartUp start_up_;
  // Caches: they hold what a cold start would compute again.
  mutable SeenTrials seen_;
  mutable ObservationCollector collector_;
};

std::unique_ptr<Searcher> make(const PolicyContext& context, const DeOptions& options,
                               const ConfigNode& node, Diagnostics& problems) {
  if (auto plan = dehb_plan(context.spec)) {
    if (!options.population) return make_dehb_searcher(context.spec, std::move(*plan));
    problems.error("E0408", "under scheduler `dehb` the brackets say how large populations are",
                   node.mark(), "leave `population` out");
    return nullptr;
  }
  const std::int64_t population = population_of(context.spec, options);
  if (population < static_cast<std::int64_t>(kFewest) || population > 10'000) {
    problems.error("E0408", "`algorithm.population` must be from 4 to 10000", node.mark());
    return nullptr;
  }
  return std::make_unique<DeSearcher>(context.spec, population);
}

const bool registered = SearcherRegistry::add<DeOptions>(
    "de", "Differential evolution: for cheap trials in great number.", make);

}  // namespace
}  // namespace betatune
