/// From `launcher:` of a study to its launcher.

#include "optimizer/launcher.hpp"

namespace betatune {

const LauncherRegistry::Entry* find_launcher(const StudySpec& spec, const Mark& mark,
                                             Diagnostics& diagnostics) {
  const std::string& name = spec.launcher.name;
  const auto* entry = LauncherRegistry::find(name);
  if (entry == nullptr) {
    diagnostics.error("E0601", "unknown launcher `" + name + "`", mark,
                      LauncherRegistry::help_for(name));
  }
  return entry;
}

}  // namespace betatune
