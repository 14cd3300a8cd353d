#pragma once
/// What is to be expected of training on, and of starting anew, from learning curves.

#include <vector>

#include "optimizer/curves/curve_model.hpp"
#include "optimizer/curves/stopping_index.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// Steps to each level of the table from the one before. Not resumable: from the start.
std::vector<double> steps_to_levels(const CurveTable& table, bool resumable);

/// Of a row's trial, from where it stands to the end; empty if it has come there. steps: of
/// steps_to_levels(), rows: of the table's model.
std::vector<Stage> way_of_row(const CurveTable& table, const CurveBeliefs& rows, Eigen::Index row,
                              const std::vector<double>& steps);

/// Log of the price of a step up to which one more new trial pays, between two answers: what the
/// model promises of the best of some configurations, drawn under `key` or near the best trials,
/// which a search method may find, and what the latest trials turned out to be worth at their first
/// level, which it did find; or, if that is more, what the latest have brought for all their steps.
/// -infinity while nothing can be said. rows: of that model and table.
double log_worth_of_new(const SearchSpace& space, const CurveModel& model, const CurveTable& table,
                        const CurveBeliefs& rows, const std::vector<double>& steps, double best,
                        Key key);

}  // namespace betatune
