/// A study file. Reading it ends, with a diagnostic wherever it is not a study; what is accepted
/// can be drawn from, and its document is accepted again.

#include "configs/study_spec.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace betatune::fuzz {

void try_input(std::string_view bytes) {
  Diagnostics diagnostics;
  const ConfigNode node = ConfigNode::parse(std::string(bytes), "fuzzed.yaml", diagnostics);
  const StudySpec spec = read_study(node, "/nonexistent", diagnostics);
  const std::string shown = diagnostics.render(false);
  if (diagnostics.ok() != shown.empty()) broken("problems without a text, or the other way round");
  for (const Diagnostic& problem : diagnostics.problems()) {
    if (problem.code.size() != 5 || problem.message.empty()) broken("a problem without its name");
  }
  if (!diagnostics.ok()) return;
  if (!spec.space.check(spec.space.sample(root_key(1)))) broken("what is drawn is not allowed");
  Diagnostics later;
  const StudySpec again =
      read_study(ConfigNode::from_json(spec.document, "log"), "/nonexistent", later);
  if (!later.ok()) broken("its document is refused: " + later.render(false));
  if (again.document != spec.document) broken("its document is read as another");
}

}  // namespace betatune::fuzz
