#include "optimizer/width_choice.hpp"

#include <algorithm>

#include "searchspaces/result.hpp"

namespace betatune {

ScalingCurve::ScalingCurve(const WidthsSpec& widths, const WidthRates& rates)
    : narrowest_(widths.narrowest()), fewest_(widths.narrowest()) {
  std::int64_t trials = 0;
  for (const auto& [pair, compared] : rates.pairs()) trials += compared.trials;
  if (trials < kEnoughTrials) return;
  const std::vector<ScalingPoint> points = pooled_speedups(rates.pairs());
  const auto fit = fit_scaling(points);
  // Nothing is told of fewer ranks than were compared.
  if (!fit || points.front().ranks > narrowest_) return;
  fit_ = *fit;
  fewest_ = points.front().ranks;
  measured_ = true;
}

double ScalingCurve::speedup(int ranks) const {
  return fit_.time(static_cast<double>(narrowest_) / fewest_) /
         fit_.time(static_cast<double>(ranks) / fewest_);
}

int efficient_width(const WidthsSpec& widths, const ScalingCurve& curve) {
  int widest = widths.narrowest();
  for (const int ranks : widths.choices) {
    const double added = curve.speedup(ranks) - curve.speedup(widest);
    const double of_one = 1.0 / widths.narrowest();
    if (added < kLeastEfficiency * of_one * (ranks - widest)) break;
    widest = ranks;
  }
  return widest;
}

int width_of_rung(const WidthsSpec& widths, std::size_t rung, std::size_t rungs) {
  BETATUNE_ASSERT(rung < rungs);
  if (rungs == 1) return widths.widest();
  // To the nearest choice, in whole numbers: equal on every machine.
  const std::size_t top = widths.choices.size() - 1;
  return widths.choices[(2 * rung * top + rungs - 1) / (2 * (rungs - 1))];
}

int choose_width(const WidthsSpec& widths, const ScalingCurve& curve,
                 const WidthQuestion& question) {
  BETATUNE_ASSERT(!question.levels.empty());
  BETATUNE_ASSERT(question.free >= widths.narrowest());
  const auto at = std::ranges::lower_bound(question.levels, question.until);
  const std::size_t rungs = question.levels.size();
  const std::size_t rung =
      std::min(static_cast<std::size_t>(at - question.levels.begin()), rungs - 1);
  const int most =
      std::min({width_of_rung(widths, rung, rungs), efficient_width(widths, curve), question.free});
  return *std::prev(std::ranges::upper_bound(widths.choices, most));
}

}  // namespace betatune
