#pragma once
/// The model of `gp` and `auto` as it was when it was asked, opened for people.

#include <optional>

#include "optimizer/explain.hpp"

namespace betatune {

/// Of the suggestion `index` of a plan's answers. Nothing if no model was asked for it: another
/// searcher, or too few results. Precondition: index < answers.size().
std::optional<ModelView> view_model(const ReplayedPlan& plan,
                                    const std::vector<Suggestion>& answers, std::size_t index);

}  // namespace betatune
