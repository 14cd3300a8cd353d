/// From `algorithm:` of a study to its searcher.

#include "optimizer/scheduler.hpp"

namespace betatune {

std::string searcher_name(const StudySpec& spec) {
  const std::string& wanted = spec.algorithm.searcher.name;
  return wanted.empty() ? "auto" : wanted;
}

std::unique_ptr<Searcher> make_searcher(const StudySpec& spec, Diagnostics& diagnostics) {
  const PolicySpec& wanted = spec.algorithm.searcher;
  const std::string name = searcher_name(spec);
  if (const auto* entry = SearcherRegistry::find(name)) {
    auto made = entry->make(PolicyContext{spec}, wanted.options, diagnostics);
    const auto& earlier = spec.algorithm.transfer.studies;
    if (made == nullptr || earlier.empty()) return made;
    if (spec.objectives.size() > 1) {
      diagnostics.error("E0410", "with several objectives nothing is learned from earlier studies",
                        earlier.front().mark(),
                        "give their best configurations as algorithm.initial.points");
    } else if (made->asks_ahead()) {  // of results, so it learns from none
      diagnostics.error("E0410", "`" + name + "` does not learn: earlier studies change nothing",
                        earlier.front().mark(), "remove `transfer`, or use `name: auto`");
    } else {
      return made;
    }
    return nullptr;
  }
  diagnostics.error("E0404", "unknown algorithm `" + name + "`", wanted.options.mark(),
                    SearcherRegistry::help_for(name));
  return nullptr;
}

}  // namespace betatune
