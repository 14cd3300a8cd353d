#include "optimizer/numerics/sobol.hpp"

#include <bit>
#include <boost/random/sobol.hpp>

#include "searchspaces/result.hpp"

namespace betatune {
namespace {

/// The random matrix times one direction number: bit i (from the top) of the result is the parity
/// of row i's bits; rows have a unit diagonal and random bits before it.
std::uint32_t scramble(const std::vector<std::uint32_t>& rows, std::uint32_t direction) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto parity = static_cast<std::uint32_t>(std::popcount(rows[i] & direction) & 1);
    out |= parity << (31 - i);
  }
  return out;
}

}  // namespace

Sobol::Sobol(int dims) : dims_(dims), shift_(static_cast<std::size_t>(dims), 0) {
  BETATUNE_ASSERT(dims >= 0);
  const auto d = static_cast<std::size_t>(dims);
  directions_.resize(d * kBits);
  if (dims == 0) return;
  boost::random::sobol_engine<std::uint32_t, kBits> engine(d);
  for (int bit = 0; bit < kBits; ++bit) {
    // Point 2^(bit+1) - 1 has the Gray code 2^bit: it is the direction number itself. The engine
    // leaves out the origin, so its seed is one less.
    engine.seed(static_cast<std::uint32_t>((std::uint64_t{2} << bit) - 2));
    for (std::size_t j = 0; j < d; ++j)
      directions_[static_cast<std::size_t>(bit) * d + j] = engine();
  }
}

Sobol::Sobol(int dims, Key key) : Sobol(dims) {
  const auto d = static_cast<std::size_t>(dims);
  for (std::size_t j = 0; j < d; ++j) {
    Stream stream(fold_in(key, j));
    shift_[j] = static_cast<std::uint32_t>(stream.bits() >> 32);
    std::vector<std::uint32_t> rows(kBits);
    for (std::size_t i = 0; i < kBits; ++i) {
      const std::uint32_t diagonal = std::uint32_t{1} << (31 - i);
      // Bits above the diagonal one: digits that come before digit i.
      const std::uint32_t before = i == 0 ? 0 : ~std::uint32_t{0} << (32 - i);
      rows[i] = diagonal | (static_cast<std::uint32_t>(stream.bits() >> 32) & before);
    }
    for (std::size_t bit = 0; bit < kBits; ++bit) {
      std::uint32_t& direction = directions_[bit * d + j];
      direction = scramble(rows, direction);
    }
  }
}

Eigen::VectorXd Sobol::point(std::uint64_t index) const {
  BETATUNE_ASSERT(index < (std::uint64_t{1} << kBits));
  const auto d = static_cast<std::size_t>(dims_);
  std::vector<std::uint32_t> word = shift_;
  std::uint64_t gray = index ^ (index >> 1);
  for (; gray != 0; gray &= gray - 1) {
    const auto bit = static_cast<std::size_t>(std::countr_zero(gray));
    for (std::size_t j = 0; j < d; ++j) word[j] ^= directions_[bit * d + j];
  }
  Eigen::VectorXd out(dims_);
  for (std::size_t j = 0; j < d; ++j) out[static_cast<Eigen::Index>(j)] = word[j] * 0x1p-32;
  return out;
}

Eigen::MatrixXd Sobol::points(std::uint64_t first, int count) const {
  Eigen::MatrixXd out(count, dims_);
  for (int i = 0; i < count; ++i) {
    out.row(i) = point(first + static_cast<std::uint64_t>(i)).transpose();
  }
  return out;
}

}  // namespace betatune
