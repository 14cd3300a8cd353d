#include "optimizer/numerics/factor_block.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "optimizer/numerics/vectors.hpp"

namespace betatune::dense {
namespace {

/// Column by column, for all new rows at once: within a row each step would wait for the one
/// before.
BETATUNE_INLINE void factor_loop(const BlockRows& rows, double smallest, double* columns) {
  const std::size_t before = rows.before, end = before + rows.count;
  const std::size_t lanes = (rows.count + 7) / 8 * 8;
  for (std::size_t k = 0; k < end; ++k) {
    double* own = columns + k * kFactorBlock;
    const double pivot = k < before ? rows.lower[k * rows.lower_row + k]
                                    : std::sqrt(std::max(own[k - before], smallest));
    for (std::size_t i = 0; i < lanes; ++i) own[i] /= pivot;
    if (k >= before) own[k - before] = pivot;
    for (std::size_t j = k + 1; j < end; ++j) {
      const double factor = j < before ? rows.lower[j * rows.lower_row + k] : own[j - before];
      double* other = columns + j * kFactorBlock;
      for (std::size_t i = 0; i < lanes; ++i) other[i] -= factor * own[i];
    }
  }
}

/// By strips of four vectors, whose rows of this block stay in the nearest cache.
template <class V>
BETATUNE_INLINE void invert_loop(const BlockRows& rows, std::size_t columns, double* white,
                                 std::size_t white_row) {
  constexpr std::size_t kVectors = 4, kStrip = kVectors * sizeof(V) / sizeof(double);
  const std::size_t end = rows.before + rows.count;
  alignas(64) V strip[kFactorBlock][kVectors];
  for (std::size_t column = 0; column < columns; column += kStrip) {
    const std::size_t bytes = std::min(kStrip, columns - column) * sizeof(double);
    for (std::size_t i = 0; i < end; ++i) {
      if (bytes < sizeof strip[i]) std::memset(strip[i], 0, sizeof strip[i]);
      std::memcpy(strip[i], white + i * white_row + column, bytes);
    }
    for (std::size_t i = rows.before; i < end; ++i) {
      const double* own = rows.lower + i * rows.lower_row;
      V sum[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) sum[v] = strip[i][v];
      for (std::size_t k = 0; k < i; ++k) {
        for (std::size_t v = 0; v < kVectors; ++v) sum[v] += own[k] * strip[k][v];
      }
      for (std::size_t v = 0; v < kVectors; ++v) strip[i][v] = -sum[v] / own[i];
      std::memcpy(white + i * white_row + column, strip[i], bytes);
    }
  }
}

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512dq")]] void factor_512(const BlockRows& rows, double smallest,
                                                    double* columns) {
  factor_loop(rows, smallest, columns);
}
[[gnu::target("avx2")]] void factor_256(const BlockRows& rows, double smallest, double* columns) {
  factor_loop(rows, smallest, columns);
}
[[gnu::target("avx512f,avx512dq")]] void invert_512(const BlockRows& rows, std::size_t columns,
                                                    double* white, std::size_t white_row) {
  invert_loop<Vector8>(rows, columns, white, white_row);
}
[[gnu::target("avx2")]] void invert_256(const BlockRows& rows, std::size_t columns, double* white,
                                        std::size_t white_row) {
  invert_loop<Vector4>(rows, columns, white, white_row);
}
#endif

}  // namespace

void factor_block(const BlockRows& rows, double smallest, double* columns,
                  [[maybe_unused]] Width width) {
#if defined(__x86_64__)
  if (width == Width::avx512) return factor_512(rows, smallest, columns);
  if (width == Width::avx2) return factor_256(rows, smallest, columns);
#endif
  factor_loop(rows, smallest, columns);
}

void invert_block(const BlockRows& rows, std::size_t columns, double* white, std::size_t white_row,
                  [[maybe_unused]] Width width) {
#if defined(__x86_64__)
  if (width == Width::avx512) return invert_512(rows, columns, white, white_row);
  if (width == Width::avx2) return invert_256(rows, columns, white, white_row);
#endif
  invert_loop<Vector2>(rows, columns, white, white_row);
}

}  // namespace betatune::dense
