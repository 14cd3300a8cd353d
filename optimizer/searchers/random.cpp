/// `random`: independent draws, the baseline that every other searcher must beat.

#include "optimizer/searcher.hpp"
#include "optimizer/searchers/design.hpp"

namespace betatune {
namespace {

class RandomSearcher : public Searcher {
 public:
  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    seen_.sync(history);
    FreshBatch batch(history, seen_);
    return suggest_random(history, batch, count, key);
  }

 private:
  mutable SeenTrials seen_;  // a cache
};

std::unique_ptr<Searcher> make(const PolicyContext&, const NoOptions&, const ConfigNode&,
                               Diagnostics&) {
  return std::make_unique<RandomSearcher>();
}

const bool registered = SearcherRegistry::add<NoOptions>(
    "random", "Independent draws, uniform on each parameter's scale.", make);

}  // namespace
}  // namespace betatune
