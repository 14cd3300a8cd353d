#pragma once
/// What is to be expected of training on, and of starting anew, from learning curves.

#include "optimizer/curves/curve_model.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// Log of the expected improvement below `best`, in outputs of the curve model.
double log_improvement_of(double mean, double variance, double best);

/// Log of what one more new trial is expected to improve on the lowest that is expected so far:
/// what the model promises of the best of some configurations drawn under `key` or near the best
/// trials, or, if that is more, what the latest trials have brought. A search method may find more
/// than a few draws do. rows: of that model and table.
double log_prospect_of_new(const SearchSpace& space, const CurveModel& model,
                           const CurveTable& table, const CurveBeliefs& rows, Key key);

}  // namespace betatune
