#pragma once
/// The standard normal distribution function and its inverse, for draws from truncated normals.

namespace betatune {

/// Phi(z).
double normal_cdf(double z);

/// Phi(high) - Phi(low) for low <= high, without the cancellation of two values near one.
double normal_mass(double low, double high);

/// The z with Phi(z) = p, to 1e-15 relative; -inf at 0 and inf at 1. Precondition: 0 <= p <= 1.
/// source: Wichura 1988, algorithm AS 241 (PPND16); golden: tests/golden/tpe/normal.json
double normal_quantile(double p);

}  // namespace betatune
