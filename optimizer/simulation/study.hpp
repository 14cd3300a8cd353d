#pragma once
/// The study of a simulation, drawn from its seed.

#include "configs/study_spec.hpp"
#include "optimizer/coordinator.hpp"
#include "optimizer/simulate.hpp"
#include "searchspaces/random.hpp"

namespace betatune::simulation {

/// `random` decides: space, searcher, scheduler, budgets, limits.
StudySpec draw_study(Stream& random, const SimulationOptions& options);
/// Fresh policies, as a new process makes them. `on_demand` hides that the searcher may be asked
/// ahead, so that the coordinator's other way of planning runs too.
Policies make_policies(const StudySpec& spec, bool on_demand);

}  // namespace betatune::simulation
