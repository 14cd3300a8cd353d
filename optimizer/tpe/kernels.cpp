#include "optimizer/tpe/kernels.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/numerics/exp_of_negative.hpp"
#include "optimizer/numerics/vectors.hpp"

namespace betatune::kernels {
namespace {

using dense::Width;

constexpr std::size_t kLanes = 8;
constexpr std::size_t kChunk = 64;

BETATUNE_INLINE void squares_loop(double point, const double* __restrict centres,
                                  const double* __restrict factors, std::size_t n,
                                  double* __restrict out) {
  for (std::size_t i = 0; i < n; ++i) {
    const double difference = point - centres[i];
    out[i] -= (difference * difference) * factors[i];
  }
}

BETATUNE_INLINE void matches_loop(double point, double same, double other,
                                  const double* __restrict centres, std::size_t n,
                                  double* __restrict out) {
  for (std::size_t i = 0; i < n; ++i) out[i] += centres[i] == point ? same : other;
}

BETATUNE_INLINE double log_sum_loop(const double* __restrict values, std::size_t n) {
  const double highest = *std::max_element(values, values + n);
  double terms[kChunk], sums[kLanes] = {};
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t count = std::min(kChunk, n - begin);
    // A copy of fixed length, filled up with terms that are nothing: no rest, nothing overlaps.
    for (std::size_t i = 0; i < count; ++i) terms[i] = values[begin + i] - highest;
    for (std::size_t i = count; i < kChunk; ++i) terms[i] = -1e6;
    for (std::size_t i = 0; i < kChunk; ++i) terms[i] = exp_of_negative(terms[i]);
    for (std::size_t i = 0; i < kChunk; i += kLanes) {
      for (std::size_t l = 0; l < kLanes; ++l) sums[l] += terms[i + l];
    }
  }
  double sum = 0;
  for (const double each : sums) sum += each;
  return highest + std::log(sum);
}

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512dq")]] void squares_512(double point, const double* centres,
                                                     const double* factors, std::size_t n,
                                                     double* out) {
  squares_loop(point, centres, factors, n, out);
}
[[gnu::target("avx2")]] void squares_256(double point, const double* centres, const double* factors,
                                         std::size_t n, double* out) {
  squares_loop(point, centres, factors, n, out);
}
[[gnu::target("avx512f,avx512dq")]] void matches_512(double point, double same, double other,
                                                     const double* centres, std::size_t n,
                                                     double* out) {
  matches_loop(point, same, other, centres, n, out);
}
[[gnu::target("avx2")]] void matches_256(double point, double same, double other,
                                         const double* centres, std::size_t n, double* out) {
  matches_loop(point, same, other, centres, n, out);
}
[[gnu::target("avx512f,avx512dq")]] double log_sum_512(const double* values, std::size_t n) {
  return log_sum_loop(values, n);
}
[[gnu::target("avx2")]] double log_sum_256(const double* values, std::size_t n) {
  return log_sum_loop(values, n);
}
#endif

}  // namespace

void subtract_squares(double point, const double* centres, const double* factors, std::size_t n,
                      double* out, [[maybe_unused]] Width width) {
#if defined(__x86_64__)
  if (width == Width::avx512) return squares_512(point, centres, factors, n, out);
  if (width == Width::avx2) return squares_256(point, centres, factors, n, out);
#endif
  squares_loop(point, centres, factors, n, out);
}

void add_matches(double point, double same, double other, const double* centres, std::size_t n,
                 double* out, [[maybe_unused]] Width width) {
#if defined(__x86_64__)
  if (width == Width::avx512) return matches_512(point, same, other, centres, n, out);
  if (width == Width::avx2) return matches_256(point, same, other, centres, n, out);
#endif
  matches_loop(point, same, other, centres, n, out);
}

double log_sum_exp(const double* values, std::size_t n, [[maybe_unused]] Width width) {
#if defined(__x86_64__)
  if (width == Width::avx512) return log_sum_512(values, n);
  if (width == Width::avx2) return log_sum_256(values, n);
#endif
  return log_sum_loop(values, n);
}

}  // namespace betatune::kernels
