#include "optimizer/gp/input_warp.hpp"

#include <algorithm>

#include "optimizer/numerics/exp_of_negative.hpp"
#include "optimizer/numerics/log_of_positive.hpp"
#include "optimizer/numerics/vectors.hpp"

namespace betatune {
namespace {

/// The ends are pulled in by so much: there a slope may be infinite.
constexpr double kMargin = 1e-6;

/// What value and slopes are made of, t being x pulled in.
struct Parts {
  double t, log_t, power, rest, log_rest, rest_power;  ///< t^a, 1 - t^a, (1 - t^a)^b
};

BETATUNE_INLINE Parts parts_of(double x, double a, double b) {
  Parts out;
  out.t = kMargin + (1 - 2 * kMargin) * x;
  out.log_t = log_of_positive(out.t);
  out.power = exp_of_negative(a * out.log_t);
  out.rest = 1 - out.power;
  out.log_rest = log_of_positive(out.rest);
  out.rest_power = exp_of_negative(b * out.log_rest);
  return out;
}

/// Calls write(i, parts) for each number: one loop, whose bounds the compiler can see through.
template <class Write>
BETATUNE_INLINE void loop(const InputWarp& warp, const double* x, std::size_t n, Write write) {
  const double a = warp.a, b = warp.b;
  for (std::size_t i = 0; i < n; ++i) write(i, parts_of(x[i], a, b));
}

BETATUNE_INLINE void values_loop(const InputWarp& warp, const double* x, std::size_t n,
                                 double* __restrict out) {
  loop(warp, x, n, [&](std::size_t i, const Parts& p) { out[i] = 1 - p.rest_power; });
}

BETATUNE_INLINE void slopes_loop(const InputWarp& warp, const double* x, std::size_t n,
                                 double* __restrict out) {
  const double scale = (1 - 2 * kMargin) * warp.a * warp.b;
  loop(warp, x, n, [&](std::size_t i, const Parts& p) {
    out[i] = scale * (p.power / p.t) * (p.rest_power / p.rest);
  });
}

BETATUNE_INLINE void logs_loop(const InputWarp& warp, const double* x, std::size_t n,
                               double* __restrict by_a, double* __restrict by_b) {
  const double a = warp.a, b = warp.b;
  loop(warp, x, n, [&](std::size_t i, const Parts& p) {
    by_a[i] = a * b * (p.rest_power / p.rest) * p.power * p.log_t;
    by_b[i] = -b * p.rest_power * p.log_rest;
  });
}

#if defined(__x86_64__)
[[gnu::target("avx512f,avx512dq")]] void values_512(const InputWarp& warp, const double* x,
                                                    std::size_t n, double* out) {
  values_loop(warp, x, n, out);
}
[[gnu::target("avx2")]] void values_256(const InputWarp& warp, const double* x, std::size_t n,
                                        double* out) {
  values_loop(warp, x, n, out);
}
[[gnu::target("avx512f,avx512dq")]] void slopes_512(const InputWarp& warp, const double* x,
                                                    std::size_t n, double* out) {
  slopes_loop(warp, x, n, out);
}
[[gnu::target("avx2")]] void slopes_256(const InputWarp& warp, const double* x, std::size_t n,
                                        double* out) {
  slopes_loop(warp, x, n, out);
}
[[gnu::target("avx512f,avx512dq")]] void logs_512(const InputWarp& warp, const double* x,
                                                  std::size_t n, double* by_a, double* by_b) {
  logs_loop(warp, x, n, by_a, by_b);
}
[[gnu::target("avx2")]] void logs_256(const InputWarp& warp, const double* x, std::size_t n,
                                      double* by_a, double* by_b) {
  logs_loop(warp, x, n, by_a, by_b);
}
#endif

}  // namespace

void InputWarp::values(const double* x, std::size_t n, double* out,
                       [[maybe_unused]] dense::Width width) const {
  if (is_plain()) {
    std::copy_n(x, n, out);
    return;
  }
#if defined(__x86_64__)
  if (width == dense::Width::avx512) return values_512(*this, x, n, out);
  if (width == dense::Width::avx2) return values_256(*this, x, n, out);
#endif
  values_loop(*this, x, n, out);
}

void InputWarp::slopes(const double* x, std::size_t n, double* out,
                       [[maybe_unused]] dense::Width width) const {
  if (is_plain()) {
    std::fill_n(out, n, 1.0);
    return;
  }
#if defined(__x86_64__)
  if (width == dense::Width::avx512) return slopes_512(*this, x, n, out);
  if (width == dense::Width::avx2) return slopes_256(*this, x, n, out);
#endif
  slopes_loop(*this, x, n, out);
}

void InputWarp::slopes_by_logs(const double* x, std::size_t n, double* by_a, double* by_b,
                               [[maybe_unused]] dense::Width width) const {
#if defined(__x86_64__)
  if (width == dense::Width::avx512) return logs_512(*this, x, n, by_a, by_b);
  if (width == dense::Width::avx2) return logs_256(*this, x, n, by_a, by_b);
#endif
  logs_loop(*this, x, n, by_a, by_b);
}

double InputWarp::value(double x) const {
  double out = 0;
  values(&x, 1, &out);
  return out;
}

double InputWarp::slope(double x) const {
  double out = 0;
  slopes(&x, 1, &out);
  return out;
}

Eigen::Vector2d InputWarp::slope_by_logs(double x) const {
  Eigen::Vector2d out;
  slopes_by_logs(&x, 1, &out[0], &out[1]);
  return out;
}

}  // namespace betatune
