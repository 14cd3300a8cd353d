#pragma once
#include <cstdint>
#include <span>

namespace betatune::engine {

/// Area under the ROC curve: the probability that a sample of class 1 has a larger discriminant
/// than one of class 0, equal ones counting half. Exact (from the sum of ranks), not binned.
///
/// discriminants, labels  n each; labels above 0 are class 1
/// returns                0 to 1; NaN if either class has no sample or a discriminant is NaN
double area_under_curve(std::span<const double> discriminants,
                        std::span<const std::int64_t> labels);

}  // namespace betatune::engine
