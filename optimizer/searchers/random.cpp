/// `random`: independent draws from the prior, the baseline that every other searcher must beat.

#include "optimizer/searcher.hpp"
#include "optimizer/searchers/seen.hpp"

namespace betatune {
namespace {

class RandomSearcher : public Searcher {
 public:
  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    seen_.sync(history);
    FreshBatch batch(history, seen_);
    std::vector<Suggestion> out;
    for (int i = 0; i < count; ++i) {
      std::optional<Configuration> drawn = batch.draw(fold_in(key, static_cast<std::uint64_t>(i)));
      if (!drawn) break;
      batch.take(*drawn);
      out.push_back({std::move(*drawn), "random", nullptr});
    }
    return out;
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
