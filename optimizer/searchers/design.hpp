#pragma once
/// Space-filling suggestions: the whole of `sobol`, the beginning of `gp`.

#include "optimizer/searcher.hpp"
#include "optimizer/searchers/seen.hpp"

namespace betatune {

/// The key of what must stay the same over a whole study, such as the scrambling of its sequence:
/// from the study's seed, not from the plan. A study without a seed uses its name.
Key study_key(const StudySpec& spec);

/// The middle of every number's range, with choices drawn under `key`, and every value that a
/// person believes in at its place; marked as taken. Without beliefs it is nearer to the unknown
/// best than other points are, the more so the more parameters there are. Nothing if it is not
/// fresh or violates a constraint.
std::optional<Suggestion> suggest_centre(const History& history, FreshBatch& batch, Key key);

/// The next `count` points of the study's scrambled Sobol sequence that are fresh and meet the
/// constraints, marked as taken. Which point is next follows from how many trials came from it
/// ("sobol" is their origin). Where parameters have priors, every second point is drawn from them.
/// Random fresh draws take over where the sequence finds nothing more;
/// fewer than `count` only if the space is exhausted. Precondition: `seen` is synced.
std::vector<Suggestion> suggest_sobol(const History& history, const SeenTrials& seen,
                                      FreshBatch& batch, int count, Key key);

/// Fresh independent draws, marked as taken; every second from the priors, where parameters have
/// some. Fewer than `count` only if the space is exhausted.
std::vector<Suggestion> suggest_random(const History& history, FreshBatch& batch, int count,
                                       Key key);

}  // namespace betatune
