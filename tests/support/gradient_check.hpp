#pragma once
/// Analytic derivatives against symmetric finite differences.

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>

namespace betatune::test {

/// Expects `gradient` to be that of `f` at `x`. The difference of each coordinate may be
/// `tolerance` times the larger of 1, the value of the function there and the derivative itself:
/// central differences with a step of 1e-5 lose about eleven digits of the function's value.
inline void expect_gradient(const std::function<double(const Eigen::VectorXd&)>& f,
                            const Eigen::VectorXd& x, const Eigen::VectorXd& gradient,
                            double tolerance = 1e-6) {
  constexpr double kStep = 1e-5;
  ASSERT_EQ(gradient.size(), x.size());
  for (Eigen::Index j = 0; j < x.size(); ++j) {
    Eigen::VectorXd above = x, below = x;
    above[j] += kStep;
    below[j] -= kStep;
    const double high = f(above), low = f(below);
    const double difference = (high - low) / (2 * kStep);
    const double scale = std::max({1.0, std::abs(high), std::abs(difference)});
    EXPECT_NEAR(gradient[j], difference, tolerance * scale) << "coordinate " << j;
  }
}

}  // namespace betatune::test
