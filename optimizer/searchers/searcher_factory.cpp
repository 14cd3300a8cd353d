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
    return entry->make(PolicyContext{spec}, wanted.options, diagnostics);
  }
  diagnostics.error("E0404", "unknown algorithm `" + name + "`", wanted.options.mark(),
                    SearcherRegistry::help_for(name));
  return nullptr;
}

}  // namespace betatune
