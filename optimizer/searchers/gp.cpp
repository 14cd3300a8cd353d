/// `gp`: Bayesian optimization with a Gaussian process of the whole space and log expected
/// improvement.

#include "optimizer/searchers/gp_core.hpp"

namespace betatune {
namespace {

class GpSearcher : public Searcher {
 public:
  GpSearcher(const StudySpec& spec, GpOptions options) : core_(spec, options) {}

  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    const Observations data = core_.observe(history);
    FreshBatch batch = core_.batch(history);
    bool exhausted = false;
    std::vector<Suggestion> out = core_.design(history, data, batch, count, key, exhausted);
    if (exhausted || std::ssize(out) == count) return out;
    GpRound round = core_.begin(history, data);
    for (const Suggestion& each : out) {
      round.pend(history.space().encode(each.configuration).transpose());
    }
    while (std::ssize(out) < count) {
      auto next = suggest_from_model(round, batch, fold_in(fold_in(key, "gp"), out.size()));
      if (!next) break;
      round.pend(history.space().encode(next->configuration).transpose());
      out.push_back(std::move(*next));
    }
    return out;
  }

  std::optional<Configuration> recommend(const History& history) const override {
    const std::optional<Configuration> modelled = core_.recommend(history);
    return modelled ? modelled : Searcher::recommend(history);
  }

  bool asks_ahead() const override { return false; }

 private:
  mutable GpCore core_;
};

std::unique_ptr<Searcher> make(const PolicyContext& context, const GpOptions& options,
                               const ConfigNode& node, Diagnostics& problems) {
  if (!options.check(node, problems)) return nullptr;
  return std::make_unique<GpSearcher>(context.spec, options);
}

const bool registered = SearcherRegistry::add<GpOptions>(
    "gp", "Bayesian optimization: a Gaussian process and log expected improvement.", make);

}  // namespace
}  // namespace betatune
