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
    // What is asked ahead of results learns from none.
    if (made == nullptr || earlier.empty() || !made->asks_ahead()) return made;
    diagnostics.error("E0410", "`" + name + "` does not learn: earlier studies change nothing",
                      earlier.front().mark(), "remove `transfer`, or use `name: auto`");
    return nullptr;
  }
  diagnostics.error("E0404", "unknown algorithm `" + name + "`", wanted.options.mark(),
                    SearcherRegistry::help_for(name));
  return nullptr;
}

}  // namespace betatune
