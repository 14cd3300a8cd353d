/// `gp`: Bayesian optimization with a Gaussian process of the whole space and log expected
/// improvement.

#include "optimizer/searchers/gp_core.hpp"

namespace betatune {
namespace {

class GpSearcher : public Searcher {
 public:
  GpSearcher(const StudySpec& spec, GpOptions options) : core_(spec, options) {}

  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    return core_.suggest(
        history, count, key,
        [&](const GpRound& round, const Observations&, FreshBatch& batch, std::size_t index) {
          return suggest_from_model(round, batch, fold_in(fold_in(key, "gp"), index));
        });
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
