#pragma once
/// Sobol's low-discrepancy sequence in base 2, scrambled: points that fill the unit cube more
/// evenly than independent draws, while each single point is still uniform.
///
/// Direction numbers: Joe and Kuo (2008), from Boost's table (up to 3,667 dimensions). Scrambling:
/// a random lower-triangular matrix per dimension and a digital shift (Matousek 1998), both keyed.
/// Golden: tests/golden/gp/sobol.json (unscrambled, from SciPy).

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "searchspaces/random.hpp"

namespace betatune {

class Sobol {
 public:
  /// The plain sequence, whose point 0 is the origin. Precondition: 0 <= dims <= 3,667.
  explicit Sobol(int dims);
  /// Scrambled under `key`: a function of (dims, key) alone.
  Sobol(int dims, Key key);

  int dims() const { return dims_; }
  /// Point `index` (order of Antonov and Saleev), each coordinate in [0, 1) on a grid of 2^-32.
  /// Any 2^k points beginning at a multiple of 2^k have exactly one in each 2^-k slice of each
  /// coordinate. Precondition: index < 2^32.
  Eigen::VectorXd point(std::uint64_t index) const;
  /// Points first .. first+count-1, one per row.
  Eigen::MatrixXd points(std::uint64_t first, int count) const;

 private:
  static constexpr int kBits = 32;

  int dims_;
  std::vector<std::uint32_t> directions_;  ///< [bit * dims + dim]
  std::vector<std::uint32_t> shift_;       ///< [dim]
};

}  // namespace betatune
