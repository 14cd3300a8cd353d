/// `tpe`: a tree-structured Parzen estimator, for many trials and conditional spaces.

#include "optimizer/searcher.hpp"
#include "optimizer/searchers/start_up.hpp"
#include "optimizer/tpe/model.hpp"

namespace betatune {
namespace {

constexpr int kRounds = 8;    ///< sets of candidates that may all be known or infeasible
constexpr int kStartUp = 10;  ///< trials of the design, where the study names no other number

struct TpeOptions {
  bool multivariate = true;
  bool grouped = true;
  double gamma = 0.15;
  double prior_weight = 1;
  std::int64_t candidates = 24;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("multivariate", &TpeOptions::multivariate,
                  "Parameters are modelled together, else each by itself."),
        defaulted("grouped", &TpeOptions::grouped,
                  "Conditional parameters are modelled together where they share a condition, else "
                  "each by itself."),
        defaulted("gamma", &TpeOptions::gamma,
                  "Share of the results that counts as good, 25 results at most."),
        defaulted("prior_weight", &TpeOptions::prior_weight,
                  "What the even prior counts for in both densities, in results."),
        defaulted("candidates", &TpeOptions::candidates,
                  "Points drawn from the density of the good results, to take the best of.")};
  }
};

class TpeSearcher : public Searcher {
 public:
  TpeSearcher(const StudySpec& spec, const TpeOptions& options)
      : start_up_(spec, kStartUp),
        model_(spec.space, {options.multivariate, options.grouped, options.gamma,
                            options.prior_weight, static_cast<int>(options.candidates)}) {}

  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    seen_.sync(history);
    FreshBatch batch(history, seen_);
    const Observations data = collector_.collect(history);
    const int design = start_up_.due(history, data.finite > 0, count);
    std::vector<Suggestion> out;
    if (design > 0) out = start_up_.suggest(history, seen_, batch, design, key);
    if (design == count || std::ssize(out) < design) return out;
    model_.begin(data);
    for (const Suggestion& each : out) model_.pend(history.space().encode(each.configuration));
    while (std::ssize(out) < count) {
      std::optional<Suggestion> next =
          propose(history, batch, fold_in(fold_in(key, "tpe"), out.size()));
      if (!next) break;
      batch.take(next->configuration);
      model_.pend(history.space().encode(next->configuration));
      out.push_back(std::move(*next));
    }
    return out;
  }

  bool asks_ahead() const override { return false; }

 private:
  std::optional<Suggestion> propose(const History& history, const FreshBatch& batch,
                                    Key key) const {
    const SearchSpace& space = history.space();
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      for (const TpeModel::Candidate& each : model_.propose(fold_in(key, round))) {
        Configuration made = space.decode(each.point);
        if (!space.satisfies_constraints(made) || !batch.is_fresh(made)) continue;
        return Suggestion{std::move(made), "tpe", Json{{"log_ratio", each.log_ratio}}};
      }
    }
    std::optional<Configuration> drawn = batch.draw(key);
    if (!drawn) return std::nullopt;
    return Suggestion{std::move(*drawn), "random", nullptr};
  }

  StartUp start_up_;
  // Caches: they hold what a cold start would compute again.
  mutable SeenTrials seen_;
  mutable ObservationCollector collector_;
  mutable TpeModel model_;
};

std::unique_ptr<Searcher> make(const PolicyContext& context, const TpeOptions& options,
                               const ConfigNode& node, Diagnostics& problems) {
  const std::size_t before = problems.problems().size();
  const auto require = [&](bool holds, const char* what) {
    if (!holds) problems.error("E0408", what, node.mark());
  };
  require(options.gamma > 0 && options.gamma < 1, "`algorithm.gamma` must be between 0 and 1");
  require(options.prior_weight > 0 && options.prior_weight <= 1e6,
          "`algorithm.prior_weight` must be above 0 and at most 1e6");
  require(options.candidates >= 1 && options.candidates <= 10'000,
          "`algorithm.candidates` must be from 1 to 10000");
  if (problems.problems().size() != before) return nullptr;
  return std::make_unique<TpeSearcher>(context.spec, options);
}

const bool registered = SearcherRegistry::add<TpeOptions>(
    "tpe", "A tree-structured Parzen estimator: fast however many trials there are.", make);

}  // namespace
}  // namespace betatune
