#include "optimizer/numerics/dense.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "optimizer/numerics/exp_of_negative.hpp"
#include "optimizer/numerics/vectors.hpp"

namespace betatune::dense {
namespace {

constexpr std::size_t kDepth = 256;  ///< rows of B that are packed at once
constexpr std::size_t kRows = 4;     ///< rows of C that are held in registers
constexpr std::size_t kPacked = 16;  ///< columns of the widest panel

/// Columns of A's row `row` (of a tile of `rows`) that may be other than zero, within a panel.
struct Range {
  std::size_t begin, end;
};
Range nonzero(const Product& p, std::size_t row, std::size_t rows, Range panel) {
  if (p.shape == Shape::lower) panel.end = std::min(panel.end, row + rows);
  if (p.shape == Shape::upper) panel.begin = std::max(panel.begin, row);
  return panel;
}

template <class V, std::size_t N>
constexpr std::size_t kWidth = N * sizeof(V) / sizeof(double);

/// One tile of C, R rows by N vectors, += A B over the panel's range. `b` points at panel row
/// `range.begin`.
template <class V, std::size_t R, std::size_t N>
BETATUNE_INLINE void tile(const Product& p, std::size_t row, Range range, const double* b,
                          double* c, std::size_t c_row) {
  constexpr std::size_t kLanes = kWidth<V, 1>;
  V sum[R][N];
  for (std::size_t i = 0; i < R; ++i) {
    for (std::size_t k = 0; k < N; ++k)
      std::memcpy(&sum[i][k], c + i * c_row + k * kLanes, sizeof(V));
  }
  const double* a = p.a + row * p.a_row + range.begin * p.a_column;
  for (std::size_t t = range.begin; t < range.end; ++t, a += p.a_column, b += N * kLanes) {
    V right[N];
    std::memcpy(&right, b, sizeof(right));
    for (std::size_t i = 0; i < R; ++i) {
      const double factor = a[i * p.a_row];
      for (std::size_t k = 0; k < N; ++k) sum[i][k] += factor * right[k];
    }
  }
  for (std::size_t i = 0; i < R; ++i) {
    for (std::size_t k = 0; k < N; ++k)
      std::memcpy(c + i * c_row + k * kLanes, &sum[i][k], sizeof(V));
  }
}

/// The same where C has fewer columns left than a tile: through a padded copy.
template <class V, std::size_t R, std::size_t N>
BETATUNE_INLINE void edge_tile(const Product& p, std::size_t row, Range range, const double* b,
                               double* c, std::size_t columns) {
  constexpr std::size_t kColumns = kWidth<V, N>;
  double padded[R * kColumns] = {};
  for (std::size_t i = 0; i < R; ++i) std::copy_n(c + i * p.c_row, columns, padded + i * kColumns);
  tile<V, R, N>(p, row, range, b, padded, kColumns);
  for (std::size_t i = 0; i < R; ++i) std::copy_n(padded + i * kColumns, columns, c + i * p.c_row);
}

template <class V, std::size_t R, std::size_t N>
BETATUNE_INLINE void tile_of(const Product& p, std::size_t row, std::size_t column, Range panel,
                             const double* packed) {
  const Range range = nonzero(p, row, R, panel);
  if (range.begin >= range.end) return;
  const double* b = packed + (range.begin - panel.begin) * kWidth<V, N>;
  double* c = p.c + row * p.c_row + column;
  if (p.columns - column >= kWidth<V, N>) {
    tile<V, R, N>(p, row, range, b, c, p.c_row);
  } else {
    edge_tile<V, R, N>(p, row, range, b, c, p.columns - column);
  }
}

/// The columns of C that begin at `column`, N vectors wide, for one panel of B.
template <class V, std::size_t R, std::size_t N>
BETATUNE_INLINE void strip(const Product& p, std::size_t column, Range panel, double* packed) {
  const std::size_t columns = std::min(kWidth<V, N>, p.columns - column);
  for (std::size_t t = panel.begin; t < panel.end; ++t) {
    double* to = packed + (t - panel.begin) * kWidth<V, N>;
    const double* from = p.b + t * p.b_row + column;
    for (std::size_t j = 0; j < columns; ++j) to[j] = p.alpha * from[j];
    for (std::size_t j = columns; j < kWidth<V, N>; ++j) to[j] = 0;
  }
  std::size_t row = 0;
  for (; row + R <= p.rows; row += R) tile_of<V, R, N>(p, row, column, panel, packed);
  for (; row < p.rows; ++row) tile_of<V, 1, N>(p, row, column, panel, packed);
}

template <class V>
BETATUNE_INLINE void product_with(const Product& p) {
  static_assert(kWidth<V, 2> <= kPacked);
  alignas(64) double packed[kDepth * kPacked];
  for (std::size_t begin = 0; begin < p.depth; begin += kDepth) {
    const Range panel{begin, std::min(p.depth, begin + kDepth)};
    std::size_t column = 0;
    // Few columns are the common case of a line search: half as wide, twice as high.
    for (; column + kWidth<V, 1> < p.columns; column += kWidth<V, 2>) {
      strip<V, kRows, 2>(p, column, panel, packed);
    }
    if (column < p.columns) strip<V, 2 * kRows, 1>(p, column, panel, packed);
  }
}

BETATUNE_INLINE void distance_loop(double point, double weight, const double* values, std::size_t n,
                                   double* out) {
  for (std::size_t i = 0; i < n; ++i) {
    const double difference = point - values[i];
    out[i] += weight * (difference * difference);
  }
}

BETATUNE_INLINE void matern_loop(const double* distance, std::size_t n, double* value,
                                 double* slope) {
  constexpr std::size_t kChunk = 64;  // a fixed length, and a copy: nothing overlaps
  double in[kChunk], values[kChunk], slopes[kChunk];
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t count = std::min(kChunk, n - begin);
    std::copy_n(distance + begin, count, in);
    std::fill(in + count, in + kChunk, 0.0);
    for (std::size_t i = 0; i < kChunk; ++i) {
      const double r = std::sqrt(5 * in[i]);
      const double e = exp_of_negative(-r);
      values[i] = (1 + r + r * r * (1.0 / 3)) * e;
      slopes[i] = (-5.0 / 6) * (1 + r) * e;
    }
    std::copy_n(values, count, value + begin);
    if (slope != nullptr) std::copy_n(slopes, count, slope + begin);
  }
}

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512dq")]] void product_512(const Product& p) {
  product_with<Vector8>(p);
}
[[gnu::target("avx2")]] void product_256(const Product& p) {
  product_with<Vector4>(p);
}
[[gnu::target("avx512f,avx512dq")]] void distance_512(double point, double weight,
                                                      const double* values, std::size_t n,
                                                      double* out) {
  distance_loop(point, weight, values, n, out);
}
[[gnu::target("avx2")]] void distance_256(double point, double weight, const double* values,
                                          std::size_t n, double* out) {
  distance_loop(point, weight, values, n, out);
}
[[gnu::target("avx512f,avx512dq")]] void matern_512(const double* distance, std::size_t n,
                                                    double* value, double* slope) {
  matern_loop(distance, n, value, slope);
}
[[gnu::target("avx2")]] void matern_256(const double* distance, std::size_t n, double* value,
                                        double* slope) {
  matern_loop(distance, n, value, slope);
}
#endif

Width widest() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) return Width::avx512;
  if (__builtin_cpu_supports("avx2")) return Width::avx2;
#endif
  return Width::narrow;
}

}  // namespace

Width machine_width() {
  static const Width width = widest();
  return width;
}

void add_product(const Product& product, [[maybe_unused]] Width width) {
#if defined(__x86_64__)
  if (width == Width::avx512) return product_512(product);
  if (width == Width::avx2) return product_256(product);
#endif
  product_with<Vector2>(product);
}

void add_squared_distance(double point, double weight, const double* values, std::size_t n,
                          double* out, [[maybe_unused]] Width width) {
#if defined(__x86_64__)
  if (width == Width::avx512) return distance_512(point, weight, values, n, out);
  if (width == Width::avx2) return distance_256(point, weight, values, n, out);
#endif
  distance_loop(point, weight, values, n, out);
}

void matern52(const double* distance, std::size_t n, double* value, double* slope,
              [[maybe_unused]] Width width) {
#if defined(__x86_64__)
  if (width == Width::avx512) return matern_512(distance, n, value, slope);
  if (width == Width::avx2) return matern_256(distance, n, value, slope);
#endif
  matern_loop(distance, n, value, slope);
}

}  // namespace betatune::dense
