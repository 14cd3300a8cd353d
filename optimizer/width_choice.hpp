#pragma once
/// Which width an attempt gets: how many ranks, of the choices of the study file. A pure function
/// of what the log says and of the slots that are free, which the log records with the choice; so
/// `betatune replay --verify` makes it again.
///
/// The policy `scale-with-rung`: an attempt towards the lowest rung gets the fewest ranks, one
/// towards the highest rung the most, in between in proportion. Less than that where
///
///   - a further rank would add less than kLeastEfficiency of what a rank of the narrowest gang
///     does, by the fitted scaling curve, or
///   - fewer slots are free at the trainer: no slot waits for others to become free.

#include <cstddef>

#include "configs/study_spec.hpp"
#include "optimizer/scaling_fit.hpp"
#include "optimizer/width_rates.hpp"

namespace betatune {

/// What is believed of the scaling until kEnoughTrials trained with two widths: Amdahl's law with
/// this serial part of the time of the narrowest gang.
inline constexpr double kPriorSerial = 0.05;
inline constexpr std::int64_t kEnoughTrials = 3;
/// Of what a rank of the narrowest gang does, what each further one must add.
inline constexpr double kLeastEfficiency = 0.5;

/// Speedups over the narrowest choice, by number of ranks.
class ScalingCurve {
 public:
  /// Fitted through what trials reported, or the prior.
  ScalingCurve(const WidthsSpec& widths, const WidthRates& rates);
  /// A stated one, with x times the narrowest.
  ScalingCurve(const WidthsSpec& widths, ScalingFit fit)
      : fit_(fit), narrowest_(widths.narrowest()), fewest_(widths.narrowest()) {}

  double speedup(int ranks) const;
  bool is_measured() const { return measured_; }
  const ScalingFit& fit() const { return fit_; }

 private:
  ScalingFit fit_{kPriorSerial, 0, 0};
  int narrowest_, fewest_;  ///< the choice; what the fit counts in
  bool measured_ = false;
};

/// The widest choice of which each further rank is worth it. Precondition of all: two choices or
/// more.
int efficient_width(const WidthsSpec& widths, const ScalingCurve& curve);

/// Rung 0 is the lowest of so many. The choice for it, were everything free and efficient.
int width_of_rung(const WidthsSpec& widths, std::size_t rung, std::size_t rungs);

struct WidthQuestion {
  Step until = 1;            ///< the attempt's goal
  std::vector<Step> levels;  ///< of the rungs, ascending; at least one
  int free = 0;              ///< slots of the trainer, at least those of the narrowest choice
};
int choose_width(const WidthsSpec& widths, const ScalingCurve& curve,
                 const WidthQuestion& question);

}  // namespace betatune
