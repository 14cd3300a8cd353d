#pragma once
/// What it is worth to train on, if training may be given up at every level: the highest price of a
/// step at which going on would still pay. Whoever goes on with the highest index first is right
/// where one trial's curve says nothing of another's (Weitzman 1979, doi:10.2307/1910412; Gittins
/// 1979, doi:10.1111/j.2517-6161.1979.tb01068.x): a level that tells who will win makes its trials
/// cheap, because most will not be trained beyond it, and one that tells nothing does not.

#include <cmath>
#include <span>

namespace betatune {

/// The way from where a trial stands to the end.
struct Stage {
  double revealed = 0;  ///< of the variance of what it will end in, what its next level reveals
  double steps = 0;     ///< to that level
};

/// Log of the expected improvement below `best`, of what is expected to end at `mean`.
double log_improvement_of(double mean, double variance, double best);

/// The logarithm between `low` and `high` up to which a price pays, to a thousandth of their
/// distance. pays: of a price, true at the lowest.
template <class F>
double log_highest_price(double low, double high, const F& pays) {
  for (int i = 0; i < 10; ++i) {
    const double middle = (low + high) / 2;
    (pays(std::exp(middle)) ? low : high) = middle;
  }
  return low;
}

/// Log of the index, per step, of a trial expected to end at `mean`, where ending below `best`
/// pays by the difference. Precondition: there is a stage, and each has steps.
double log_stopping_index(double mean, std::span<const Stage> way, double best);

/// No less than log_stopping_index(), and quick: as if all were revealed by the first stage.
double log_stopping_index_bound(double mean, std::span<const Stage> way, double best);

/// What it is worth to go on where a step costs `price`, or to stop, whichever is more.
double stopping_value(double mean, std::span<const Stage> way, double best, double price);

}  // namespace betatune
