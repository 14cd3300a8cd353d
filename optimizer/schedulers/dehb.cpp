/// The lengths of the trials of DEHB (Awad et al. 2021, arXiv:2105.09821), whose configurations the
/// searcher `de` suggests (optimizer/de/dehb.hpp): Hyperband in the first iteration; from then on
/// every rung of a bracket has new trials, which pause there for good.
///
/// As in `hyperband`, the next bracket begins while one waits for the results of a rung.

#include "optimizer/de/dehb_plan.hpp"
#include "optimizer/schedulers/options.hpp"

namespace betatune {
namespace {

std::unique_ptr<Scheduler> make(const PolicyContext& context, const DehbOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_eta(options.eta, node, diagnostics);
  fine = check_fidelity("dehb", context.spec, node, diagnostics) && fine;
  fine = check_one_objective("dehb", context.spec, node, diagnostics) && fine;
  if (!fine) return nullptr;
  const FidelitySpec& fidelity = *context.spec.fidelity;
  const DehbPlan plan(rung_levels(fidelity.min, fidelity.max, options.eta), options.eta);
  return std::make_unique<BracketScheduler>(plan.levels(), options.eta, 1, [plan](std::size_t i) {
    const DehbStage stage = plan.stage(i);
    return BracketPlan{stage.trials, stage.rung, stage.promotes};
  });
}

const bool registered = SchedulerRegistry::add<DehbOptions>(
    "dehb", "Hyperband that evolves: with the searcher `de`, rungs have offspring of those below.",
    make);

}  // namespace
}  // namespace betatune
