#pragma once
/// The best of earlier studies, to begin with.

#include "optimizer/searcher.hpp"
#include "optimizer/searchers/seen.hpp"

namespace betatune {

/// `origin` of the trials that earlier studies suggest.
inline constexpr const char* kEarlierOrigin = "earlier";

/// How many trials of a new study are the best of earlier ones: one of each study, at least 2, at
/// most 8; 0 if there are none.
int earlier_trials(const StudySpec& spec);

/// The next of them, marked as taken. index: how many came before it. The studies take turns; a
/// configuration that is within a tenth of each parameter's range of a better one of its study says
/// nothing new and is passed over. Parameters that an earlier study did not have take their
/// defaults, or the middle. Nothing if none has a place in this space.
std::optional<Suggestion> suggest_earlier(const History& history, FreshBatch& batch,
                                          std::size_t index);

}  // namespace betatune
