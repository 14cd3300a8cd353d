/// `cmaes`: a CMA-ES with restarts, for many trials of mostly numeric parameters.

#include <algorithm>

#include "optimizer/cmaes/fold.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/searchers/start_up.hpp"

namespace betatune {
namespace {

constexpr int kDraws = 100;    ///< samples that may all be known or infeasible
constexpr int kMirrored = 20;  ///< of them, those before what is outside is mirrored

struct CmaOptions {
  std::optional<std::int64_t> population;
  double sigma = 0.25;
  double growth = 2;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("population", &CmaOptions::population,
                  "Trials of a generation. Default: 4 + 3 ln(d), rounded down."),
        defaulted("sigma", &CmaOptions::sigma,
                  "Standard deviation at the start, as a part of each parameter's range."),
        defaulted("growth", &CmaOptions::growth, "By how much generations grow at each restart.")};
  }
};

int default_population(const SearchSpace& space) {
  const CmaCoordinates coordinates(space);
  return cma_population(
      std::max<Eigen::Index>(1, coordinates.dims() + std::ssize(coordinates.choices())));
}

class CmaSearcher : public Searcher {
 public:
  CmaSearcher(const StudySpec& spec, const CmaOptions& options)
      : start_up_(spec, 0),
        fold_(spec.space,
              {static_cast<int>(options.population.value_or(default_population(spec.space))),
               options.sigma, options.growth}) {}

  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    seen_.sync(history);
    FreshBatch batch(history, seen_);
    std::vector<Suggestion> out;
    const int design = start_up_.due(history, true, count);
    if (design > 0) out = start_up_.suggest(history, seen_, batch, design, key);
    if (design == count || std::ssize(out) < design) return out;
    const Observations data = collector_.collect(history);
    const CmaState state = fold_.fold(history, data);
    while (std::ssize(out) < count) {
      const Key own = fold_in(fold_in(key, "cma-es"), out.size());
      std::optional<Suggestion> next = draw(history, batch, state, own);
      // Nothing new where it has narrowed down to: that restart is at its end.
      if (!next) {
        const CmaState after = fold_.beginning(history, data, state.restart() + 1);
        next = draw(history, batch, after, fold_in(own, "next"));
      }
      if (!next) next = draw_at_random(batch, own);
      if (!next) break;
      batch.take(next->configuration);
      out.push_back(std::move(*next));
    }
    return out;
  }

  bool asks_ahead() const override { return false; }

 private:
  std::optional<Suggestion> draw(const History& history, const FreshBatch& batch,
                                 const CmaState& state, Key key) const {
    const CmaCoordinates& coordinates = fold_.coordinates();
    Stream stream(key);
    for (int i = 0; i < kDraws; ++i) {
      CmaSample sample = state.draw(stream);
      if (!coordinates.inside(sample)) {
        if (i < kMirrored) continue;
        coordinates.reflect(sample);
      }
      Configuration made =
          history.space().decode(coordinates.point(sample, state.normal().mean(), state.stretch()));
      if (!history.space().satisfies_constraints(made) || !batch.is_fresh(made)) continue;
      Json note = fold_.note(state, sample, history.space().encode(made));
      return Suggestion{std::move(made), kCmaOrigin, std::move(note)};
    }
    return std::nullopt;
  }

  static std::optional<Suggestion> draw_at_random(const FreshBatch& batch, Key key) {
    std::optional<Configuration> drawn = batch.draw(key);
    if (!drawn) return std::nullopt;
    return Suggestion{std::move(*drawn), "random", nullptr};
  }

  StartUp start_up_;
  // Caches: they hold what a cold start would compute again.
  mutable SeenTrials seen_;
  mutable ObservationCollector collector_;
  mutable CmaFold fold_;
};

std::unique_ptr<Searcher> make(const PolicyContext& context, const CmaOptions& options,
                               const ConfigNode& node, Diagnostics& problems) {
  const std::size_t before = problems.problems().size();
  const auto require = [&](bool holds, const char* what) {
    if (!holds) problems.error("E0408", what, node.mark());
  };
  const std::int64_t population = options.population.value_or(4);
  require(population >= 2 && population <= 10'000,
          "`algorithm.population` must be from 2 to 10000");
  require(options.sigma > 0 && options.sigma <= 1,
          "`algorithm.sigma` must be above 0 and at most 1");
  require(options.growth >= 1 && options.growth <= 10, "`algorithm.growth` must be from 1 to 10");
  if (problems.problems().size() != before) return nullptr;
  return std::make_unique<CmaSearcher>(context.spec, options);
}

const bool registered = SearcherRegistry::add<CmaOptions>(
    "cmaes", "A CMA-ES with restarts: for hundreds of trials and more of numeric parameters.",
    make);

}  // namespace
}  // namespace betatune
