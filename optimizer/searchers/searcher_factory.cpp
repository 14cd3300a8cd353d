/// From `algorithm:` of a study to its searcher.

#include "optimizer/scheduler.hpp"

namespace betatune {

std::string searcher_name(const StudySpec& spec) {
  const std::string& wanted = spec.algorithm.searcher.name;
  return wanted.empty() || wanted == "auto" ? "gp" : wanted;
}

std::unique_ptr<Searcher> make_searcher(const StudySpec& spec, Diagnostics& diagnostics) {
  const PolicySpec& wanted = spec.algorithm.searcher;
  const std::string name = searcher_name(spec);
  if (const auto* entry = SearcherRegistry::find(name)) {
    return entry->make(PolicyContext{spec}, wanted.options, diagnostics);
  }
  std::vector<std::string> names = {"auto"};
  std::string known = "auto";
  for (const auto& [each, summary] : SearcherRegistry::list()) {
    names.push_back(each);
    known += ", " + each;
  }
  const std::string near = closest(name, names);
  diagnostics.error("E0404", "there is no algorithm `" + name + "`; there are: " + known,
                    wanted.options.mark(), near.empty() ? "" : "did you mean `" + near + "`?");
  return nullptr;
}

}  // namespace betatune
