#pragma once
/// Which checkpoints a trial can go on from: part of the fold.

#include "optimizer/study_state.hpp"

namespace betatune {

/// The newest one becomes the one before.
void remember_checkpoint(Trial& trial, const ArtifactRef& saved);

/// What the current attempt was to go on from is missing or damaged: the one before it counts.
void forget_damaged_checkpoint(Trial& trial);

}  // namespace betatune
