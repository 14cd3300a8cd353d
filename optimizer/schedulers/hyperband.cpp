/// Hyperband (Li et al. 2018, arXiv:1603.06560): brackets that trade the number of trials against
/// the step at which they are first compared.
///
/// Bracket s of s_max, s_max - 1 ... 0 begins floor((s_max + 1) / (s + 1)) * eta^s trials on the
/// rung s below the last: the table of the paper for R = 81, eta = 3. After the last bracket the
/// first one comes again, as long as the budget lasts.

#include "optimizer/schedulers/brackets.hpp"
#include "optimizer/schedulers/options.hpp"

namespace betatune {
namespace {

std::unique_ptr<Scheduler> make(const PolicyContext& context, const EtaOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_eta(options.eta, node, diagnostics);
  fine = check_fidelity("hyperband", context.spec, node, diagnostics) && fine;
  if (!fine) return nullptr;
  const FidelitySpec& fidelity = *context.spec.fidelity;
  std::vector<Step> levels = rung_levels(fidelity.min, fidelity.max, options.eta);
  const auto plan = [rungs = levels.size(), eta = options.eta](std::size_t number) {
    return hyperband_bracket(number, rungs, eta);
  };
  return std::make_unique<BracketScheduler>(std::move(levels), options.eta,
                                            context.spec.objectives.size(), plan);
}

const bool registered = SchedulerRegistry::add<EtaOptions>(
    "hyperband", "Brackets of successive halving, from many short trials to few long ones.", make);

}  // namespace
}  // namespace betatune
