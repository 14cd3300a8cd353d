#pragma once
/// The curve of how a training gets faster with more ranks, through a few measured points: what
/// `betatune scaling` tells, and what widths of gangs are chosen by.

#include <optional>
#include <span>

namespace betatune {

/// Times of an equal piece of work, by the number of ranks.
struct ScalingPoint {
  int ranks = 1;
  double speedup = 1;  ///< over the fewest ranks; above 0
};

/// Time of a step with x times the fewest ranks, in units of that of the fewest:
///
///     1/x + serial (1 - 1/x) + exchange log2 x
///
/// The first two are Amdahl's law; the last is what it takes to combine something over more ranks.
struct ScalingFit {
  double serial = 0, exchange = 0;  ///< least squares, 0 or more
  double off_by = 0;                ///< largest relative distance of a measured time
  double time(double x) const;
  double speedup(double x) const { return 1 / time(x); }
  /// Where it is fastest; nothing if it only gets faster.
  std::optional<double> fastest() const;
};

/// Of two points only `serial` can be told. Nothing of one. Precondition: ascending ranks.
std::optional<ScalingFit> fit_scaling(std::span<const ScalingPoint> points);

}  // namespace betatune
