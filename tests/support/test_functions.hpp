#pragma once
/// Functions with known minima on which searchers are compared. Optima are shifted away from the
/// centre by a seed, so that a searcher that looks there first gains nothing.

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "tests/support/history_builder.hpp"

namespace betatune::test {

struct TestFunction {
  int dims = 2;
  double minimum = 0;
  std::function<double(const std::vector<double>&)> at;  ///< of points in [0,1]^dims
  double noise = 0;                                      ///< standard deviation
};

inline double branin(double x, double y) {
  constexpr double kPi = std::numbers::pi;
  const double a = y - 5.1 / (4 * kPi * kPi) * x * x + 5 / kPi * x - 6;
  return a * a + 10 * (1 - 1 / (8 * kPi)) * std::cos(x) + 10;
}

inline double hartmann6(const std::vector<double>& x) {
  static constexpr double kA[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                      {0.05, 10, 17, 0.1, 8, 14},
                                      {3, 3.5, 1.7, 10, 17, 8},
                                      {17, 8, 0.05, 10, 0.1, 14}};
  static constexpr double kP[4][6] = {{1312, 1696, 5569, 124, 8283, 5886},
                                      {2329, 4135, 8307, 3736, 1004, 9991},
                                      {2348, 1451, 3522, 2883, 3047, 6650},
                                      {4047, 8828, 8732, 5743, 1091, 381}};
  static constexpr double kAlpha[4] = {1, 1.2, 3, 3.2};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double inner = 0;
    for (int j = 0; j < 6; ++j) {
      const double d = x[static_cast<std::size_t>(j)] - 1e-4 * kP[i][j];
      inner += kA[i][j] * d * d;
    }
    sum -= kAlpha[i] * std::exp(-inner);
  }
  return sum;
}

/// [0,1] to [-span, span], with the optimum's coordinate moved by up to 0.3 span.
inline std::vector<double> shifted(const std::vector<double>& u, double span, std::uint64_t seed) {
  Stream stream(fold_in(root_key(seed), "shift"));
  std::vector<double> x;
  for (const double each : u) {
    x.push_back(span * (2 * each - 1) - 0.6 * span * (stream.uniform() - 0.5));
  }
  return x;
}

inline double ackley(const std::vector<double>& x) {
  double squares = 0, cosines = 0;
  for (const double each : x) {
    squares += each * each;
    cosines += std::cos(2 * std::numbers::pi * each);
  }
  const double d = static_cast<double>(x.size());
  return 20 + std::numbers::e - 20 * std::exp(-0.2 * std::sqrt(squares / d)) -
         std::exp(cosines / d);
}

inline double rosenbrock(const std::vector<double>& x) {
  double sum = 0;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {
    const double a = x[i + 1] + 1 - (x[i] + 1) * (x[i] + 1);
    sum += 100 * a * a + x[i] * x[i];
  }
  return sum;
}

inline double levy(const std::vector<double>& x) {
  const auto w = [&](std::size_t i) { return 1 + x[i] / 4; };
  constexpr double kPi = std::numbers::pi;
  double sum = std::pow(std::sin(kPi * w(0)), 2);
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {
    sum += std::pow(w(i) - 1, 2) * (1 + 10 * std::pow(std::sin(kPi * w(i) + 1), 2));
  }
  const double last = w(x.size() - 1);
  return sum + std::pow(last - 1, 2) * (1 + std::pow(std::sin(2 * kPi * last), 2));
}

inline double ellipsoid(const std::vector<double>& x) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum += std::pow(10.0, 3.0 * static_cast<double>(i) / static_cast<double>(x.size() - 1)) * x[i] *
           x[i];
  }
  return sum;
}

inline std::map<std::string, TestFunction> test_functions(std::uint64_t seed) {
  std::map<std::string, TestFunction> out;
  out["branin"] = {2, 0.39788735772973816,
                   [](const auto& u) { return branin(15 * u[0] - 5, 15 * u[1]); }};
  out["hartmann6"] = {6, -3.322368011391339, [](const auto& u) { return hartmann6(u); }};
  out["noisy_branin"] = out["branin"];
  out["noisy_branin"].noise = 5;
  out["noisy_hartmann6"] = out["hartmann6"];
  out["noisy_hartmann6"].noise = 0.2;
  out["ackley5"] = {5, 0, [seed](const auto& u) { return ackley(shifted(u, 10, seed)); }};
  out["rosenbrock4"] = {4, 0, [seed](const auto& u) { return rosenbrock(shifted(u, 2, seed)); }};
  out["levy10"] = {10, 0, [seed](const auto& u) { return levy(shifted(u, 10, seed)); }};
  out["ellipsoid8"] = {8, 0, [seed](const auto& u) { return ellipsoid(shifted(u, 5, seed)); }};
  return out;
}

/// Continuous parameters x0, x1, ... in [0,1].
inline std::vector<Parameter> unit_box(int dims) {
  std::vector<Parameter> out;
  for (int j = 0; j < dims; ++j) out.push_back(real("x" + std::to_string(j), 0, 1));
  return out;
}
inline std::vector<double> unit_point(const Configuration& configuration, int dims) {
  std::vector<double> out;
  for (int j = 0; j < dims; ++j) out.push_back(number(configuration, "x" + std::to_string(j)));
  return out;
}

}  // namespace betatune::test
