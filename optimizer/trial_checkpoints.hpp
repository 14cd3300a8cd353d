#pragma once
/// Which checkpoints a trial can go on from: part of the fold.

#include "optimizer/study_state.hpp"

namespace betatune {

/// The newest one becomes the one before.
void remember_checkpoint(Trial& trial, const ArtifactRef& saved);

/// The new trial goes on from the parent's checkpoint of that step, and falls back to those before
/// it. False if the parent is not known to have one.
bool inherit_checkpoints(Trial& trial, const Trial& parent, Step step);

/// What the current attempt of `trial` was to go on from is missing or damaged: the one before it
/// counts, for every trial that has it from the same parent, too.
void forget_damaged_checkpoint(StudyState& state, TrialId trial);

}  // namespace betatune
