/// Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): brackets of a fixed number
/// of trials, all of which reach a rung before the best 1/eta of them go on together.

#include <cmath>

#include "optimizer/schedulers/brackets.hpp"
#include "optimizer/schedulers/options.hpp"

namespace betatune {
namespace {

struct HalvingOptions {
  double eta = 3;
  std::optional<std::int64_t> trials;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("eta", &HalvingOptions::eta, "One in eta goes on at each rung; 3 or 4."),
        Field{"trials", &HalvingOptions::trials,
              "Trials of a bracket; by default as many as leave one on the last rung."}};
  }
};

bool check_trials(const HalvingOptions& options, const ConfigNode& node, Diagnostics& diagnostics) {
  if (!options.trials || *options.trials >= 1) return true;
  diagnostics.error("E0504", std::string(Scheduler::kOptionsPath) + ".trials must be at least 1",
                    option_mark(node, "trials"));
  return false;
}

std::unique_ptr<Scheduler> make(const PolicyContext& context, const HalvingOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_eta(options.eta, node, diagnostics);
  fine = check_trials(options, node, diagnostics) && fine;
  fine = check_fidelity("successive-halving", context.spec, node, diagnostics) && fine;
  if (!fine) return nullptr;
  const FidelitySpec& fidelity = *context.spec.fidelity;
  std::vector<Step> levels = rung_levels(fidelity.min, fidelity.max, options.eta);
  const double whole = std::pow(options.eta, static_cast<double>(levels.size() - 1));
  const BracketPlan plan{options.trials ? static_cast<std::size_t>(*options.trials)
                                        : static_cast<std::size_t>(std::ceil(whole - 1e-9)),
                         0};
  return std::make_unique<BracketScheduler>(std::move(levels), options.eta,
                                            context.spec.objectives.size(),
                                            [plan](std::size_t) { return plan; });
}

const bool registered = SchedulerRegistry::add<HalvingOptions>(
    "successive-halving", "Brackets whose trials wait for each other at every rung.", make);

}  // namespace
}  // namespace betatune
