#pragma once
/// Reading golden values that were computed elsewhere and kept as JSON.

#include <Eigen/Core>
#include <fstream>
#include <gtest/gtest.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "optimizer/numerics/factor.hpp"

namespace betatune::test {

/// A file below tests/golden.
inline nlohmann::json golden_json(const std::string& name) {
  std::ifstream file(std::string(BETATUNE_SOURCE_DIR) + "/tests/golden/" + name);
  EXPECT_TRUE(file) << name;
  return nlohmann::json::parse(file);
}

/// Numbers; null is not a number.
inline Eigen::VectorXd vector_of(const nlohmann::json& values) {
  Eigen::VectorXd out(std::ssize(values));
  for (Eigen::Index i = 0; i < out.size(); ++i) {
    const auto& each = values[static_cast<std::size_t>(i)];
    out[i] = each.is_null() ? std::numeric_limits<double>::quiet_NaN() : each.get<double>();
  }
  return out;
}

inline RowMatrix matrix_of(const nlohmann::json& rows) {
  RowMatrix out(std::ssize(rows), std::ssize(rows[0]));
  for (Eigen::Index i = 0; i < out.rows(); ++i) {
    out.row(i) = vector_of(rows[static_cast<std::size_t>(i)]).transpose();
  }
  return out;
}

}  // namespace betatune::test
