#pragma once

#include <limits>

namespace betatune::test {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace betatune::test
