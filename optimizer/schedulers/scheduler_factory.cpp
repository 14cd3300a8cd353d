#include <cmath>

#include "optimizer/schedulers/options.hpp"

namespace betatune {
namespace {

/// Between them ladders have hundreds of rungs at most, and brackets a number of trials that can be
/// counted.
constexpr double kLeastEta = 1.01, kLargestEta = 1000;

}  // namespace

const Mark& option_mark(const ConfigNode& node, const char* key) {
  const ConfigNode* option = node.find(key);
  return option == nullptr ? node.mark() : option->mark();
}

bool check_eta(double eta, const ConfigNode& node, Diagnostics& diagnostics) {
  if (eta >= kLeastEta && eta <= kLargestEta) return true;
  diagnostics.error("E0502",
                    std::string(Scheduler::kOptionsPath) + ".eta must be above 1, from " +
                        to_text(Value(kLeastEta)) + " to " + to_text(Value(kLargestEta)),
                    option_mark(node, "eta"), "3 or 4 suit most studies");
  return false;
}

bool check_fidelity(const char* name, const StudySpec& spec, const ConfigNode& node,
                    Diagnostics& diagnostics) {
  if (spec.fidelity) return true;
  diagnostics.error("E0503",
                    std::string("scheduler `") + name +
                        "` compares trials before their end, but the study has no `fidelity`",
                    node.mark(),
                    "add `fidelity: {name: epoch, min: 1, max: 27}`, or use `scheduler: fifo`");
  return false;
}

bool check_steps(const char* name, const FidelitySpec& fidelity, const ConfigNode& node,
                 Diagnostics& diagnostics) {
  if (fidelity.max > 1) return true;
  diagnostics.error("E0503",
                    std::string("scheduler `") + name +
                        "` compares trials before their end, but `fidelity.max` is 1",
                    node.mark(), "raise `fidelity.max`, or use `scheduler: fifo`");
  return false;
}

bool check_one_objective(const char* name, const StudySpec& spec, const ConfigNode& node,
                         Diagnostics& diagnostics) {
  if (spec.objectives.size() == 1) return true;
  diagnostics.error("E0505",
                    std::string("scheduler `") + name +
                        "` compares trials by one objective, but the study has " +
                        std::to_string(spec.objectives.size()),
                    node.mark(),
                    "use `asha`, `hyperband`, `successive-halving` or `pasha`, which compare by "
                    "all of them, or `fifo`");
  return false;
}

std::string scheduler_name(const StudySpec& spec) {
  const std::string& wanted = spec.algorithm.scheduler.name;
  if (!wanted.empty() && wanted != "auto") return wanted;
  const bool compares = spec.fidelity && spec.fidelity->min < spec.fidelity->max;
  if (!compares || spec.noise.trains_again()) return "fifo";
  // Its decisions take as long as these searchers' suggestions: others may be chosen because they
  // are quick.
  const std::string searcher = searcher_name(spec);
  const bool by_model = searcher == "auto" || searcher == "gp";
  return by_model && spec.objectives.size() == 1 ? "freeze-thaw" : "asha";
}

namespace {

/// Widths follow the rungs, and change only where an attempt ends.
bool check_widths(const std::string& name, const RungPlan& plan, const WidthsSpec& widths,
                  Diagnostics& diagnostics) {
  if (plan.levels.size() > 1 && !plan.passing) return true;
  const std::string why = plan.passing ? "trains trials past its rungs without a break"
                                       : "has no rungs to choose between them by";
  diagnostics.error("E0506", "choices of ranks: scheduler `" + name + "` " + why, widths.mark,
                    "use `asha`, `hyperband`, `successive-halving` or another one with rungs "
                    "below `fidelity.max`, or give one number");
  return false;
}

}  // namespace

std::unique_ptr<Scheduler> make_scheduler(const StudySpec& spec, Diagnostics& diagnostics) {
  const PolicySpec& wanted = spec.algorithm.scheduler;
  const std::string name = scheduler_name(spec);
  if (spec.noise.trains_again() && name != "fifo") {
    diagnostics.error("E0505",
                      "scheduler `" + name +
                          "` compares single trainings, but `noise` asks for the mean of several",
                      wanted.options.mark(), "use `scheduler: fifo`, or leave `noise` out");
    return nullptr;
  }
  if (const auto* entry = SchedulerRegistry::find(name)) {
    auto made = entry->make(PolicyContext{spec}, wanted.options, diagnostics);
    const auto& widths = spec.resources.widths;
    if (made && widths && !check_widths(name, made->rungs(), *widths, diagnostics)) return nullptr;
    return made;
  }
  diagnostics.error("E0501", "unknown scheduler `" + name + "`", wanted.options.mark(),
                    SchedulerRegistry::help_for(name, {"auto"}));
  return nullptr;
}

}  // namespace betatune
