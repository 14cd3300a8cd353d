/// `sobol`: a scrambled low-discrepancy sequence, more even than independent draws.

#include "optimizer/searcher.hpp"
#include "optimizer/searchers/design.hpp"
#include "optimizer/searchers/options.hpp"

namespace betatune {
namespace {

struct SobolOptions {
  static constexpr auto fields() { return std::tuple<>{}; }
};

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

std::unique_ptr<Searcher> make(const PolicyContext&, const ConfigNode& node,
                               Diagnostics& problems) {
  SobolOptions options;
  if (!read_options(node, problems, options)) return nullptr;
  return std::make_unique<SobolSearcher>();
}

const bool registered =
    SearcherRegistry::add("sobol", "A scrambled Sobol sequence: evenly spread points.", make);

}  // namespace
}  // namespace betatune
