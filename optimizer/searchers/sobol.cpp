/// `sobol`: a scrambled low-discrepancy sequence, more even than independent draws.

#include "optimizer/searcher.hpp"
#include "optimizer/searchers/design.hpp"

namespace betatune {
namespace {

class SobolSearcher : public Searcher {
 public:
  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    seen_.sync(history);
    FreshBatch batch(history, seen_);
    return suggest_sobol(history, seen_, batch, count, key);
  }

 private:
  mutable SeenTrials seen_;  // a cache
};

std::unique_ptr<Searcher> make(const PolicyContext&, const NoOptions&, const ConfigNode&,
                               Diagnostics&) {
  return std::make_unique<SobolSearcher>();
}

const bool registered = SearcherRegistry::add<NoOptions>(
    "sobol", "A scrambled Sobol sequence: evenly spread points.", make);

}  // namespace
}  // namespace betatune
