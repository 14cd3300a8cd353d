#pragma once
/// Noise told from ruggedness: a model calls both noise, but only noise makes results differ that
/// are as good as in the same place. A local search makes such pairs by itself.

#include "optimizer/gp/observations.hpp"

namespace betatune {

/// Standard deviation of the noise of a single loss; 0 if there are too few pairs of results that
/// are near each other (a root mean square distance below 0.05 in numbers, nothing else different;
/// among the latest 200). The differences of the eight closest pairs are set against those of pairs
/// at least three times as far apart: what grows with the distance is the function, what does not
/// is noise.
double noise_of_near_pairs(const Observations& data);

}  // namespace betatune
