#include "optimizer/cmaes/margin.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/numerics/normal_quantile.hpp"

namespace betatune {
namespace {

/// How many deviations beyond the mean a tail of probability p begins.
double reach(double p) {
  return -normal_quantile(std::clamp(p, 1e-10, 0.5 - 1e-10));
}

/// In the first or last cell only the mean moves: so near to the one border that `margin` is
/// beyond.
Margin keep_at_edge(const MarginInput& in) {
  const double border = in.borders.low ? *in.borders.low : *in.borders.high;
  const double deviation = in.deviation * in.stretch;
  const double away = std::abs(in.mean - border);
  const double most = deviation * reach(in.margin);
  if (away <= most) return {in.mean, in.stretch};
  return {border + std::copysign(most, in.mean - border), in.stretch};
}

}  // namespace

Margin keep_margin(const MarginInput& in) {
  if (!in.borders.low && !in.borders.high) return {in.mean, in.stretch};
  if (!in.borders.low || !in.borders.high) return keep_at_edge(in);
  const double low = *in.borders.low, high = *in.borders.high;
  const double deviation = in.deviation * in.stretch;
  const double each = in.margin / 2;
  const double inside_before =
      normal_mass((low - in.mean) / deviation, (high - in.mean) / deviation);
  double below = normal_cdf((low - in.mean) / deviation);
  double above = normal_cdf((in.mean - high) / deviation);
  below = std::max(below, each);
  above = std::max(above, each);
  // What was added is taken away again in proportion to what each part has above its least.
  const double excess = 1 - below - above - inside_before;
  const double spare = below + inside_before + above - 3 * each;
  const double below_reach = reach(below + excess * (below - each) / spare);
  const double above_reach = reach(above + excess * (above - each) / spare);
  const double both = below_reach + above_reach;
  return {(low * above_reach + high * below_reach) / both, (high - low) / (both * in.deviation)};
}

}  // namespace betatune
