#pragma once
/// What the searcher `de` is under the scheduler `dehb`: differential evolution of a subpopulation
/// per rung, whose parents are the best of the rung below (DEHB, Awad et al. 2021,
/// arXiv:2105.09821).

#include "optimizer/de/dehb_plan.hpp"
#include "optimizer/searcher.hpp"

namespace betatune {

/// By rung and place: the best result of the trials that competed for it, or none.
using DehbPopulations = std::vector<std::vector<std::optional<RungResult>>>;

/// A fold over the trials in the order of their numbers: `walk` ends at the last of them. Of equal
/// results the later one stays, as the paper has it.
DehbPopulations dehb_populations(const DehbPlan& plan, const TrialTable& trials, DehbWalk& walk);

/// rand/1 and binomial crossover: of the columns that cross over (each with a chance of 1/2, one at
/// least) `target` becomes a + (b - c) / 2, or anything in [0, 1] where that is outside.
Eigen::VectorXd dehb_child(const Eigen::VectorXd& target, const Eigen::VectorXd& a,
                           const Eigen::VectorXd& b, const Eigen::VectorXd& c, Stream& stream);

std::unique_ptr<Searcher> make_dehb_searcher(const StudySpec& spec, DehbPlan plan);

}  // namespace betatune
