#pragma once
/// How a result that is the mean of several trainings is told.

#include <string>
#include <vector>

namespace betatune {

struct Repeated {
  std::vector<double> losses;  ///< of the trainings that the mean is of
  bool confirmed = false;      ///< they were made to confirm the configuration

  /// Whether there is more to tell than one loss.
  bool is_mean() const { return confirmed || losses.size() > 1; }
  /// Precondition: there are losses.
  double mean() const;
  /// Standard deviation of one training (not of the mean); 0 for a single one.
  double deviation() const;
  /// " +- 0.02, the mean of 5 trainings made to confirm it"; empty for a single training.
  std::string text() const;
};

}  // namespace betatune
