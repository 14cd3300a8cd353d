#include "optimizer/numerics/symmetric_eigen.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "searchspaces/result.hpp"

namespace betatune {
namespace {

using Index = Eigen::Index;

constexpr int kSteps = 60;  ///< QL steps per eigenvalue; two or three are usual

double dot(const double* a, const double* b, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// A reflection x -> x - scale v (v^T x) of the coordinates from `first` on.
struct Reflection {
  Index first = 0;
  double scale = 0;
  std::vector<double> v;
};

/// The reflection that moves column k below the diagonal into its first entry.
Reflection reflection_of(const RowMatrix& a, Index k) {
  const Index n = a.rows() - k - 1;
  Reflection out{k + 1, 0, std::vector<double>(static_cast<std::size_t>(n))};
  for (Index i = 0; i < n; ++i) out.v[static_cast<std::size_t>(i)] = a(k + 1 + i, k);
  const double rest = dot(out.v.data() + 1, out.v.data() + 1, n - 1);
  if (rest == 0) return out;
  const double length = std::sqrt(out.v[0] * out.v[0] + rest);
  out.v[0] += std::copysign(length, out.v[0]);
  out.scale = 2 / (out.v[0] * out.v[0] + rest);
  return out;
}

/// a = H a H on the coordinates from r.first on; row and column k = r.first - 1 follow.
void reflect_both_sides(const Reflection& r, RowMatrix& a) {
  const Index n = static_cast<Index>(r.v.size());
  const Index k = r.first - 1;
  const double* v = r.v.data();
  std::vector<double> w(r.v.size());
  for (Index i = 0; i < n; ++i) {
    w[static_cast<std::size_t>(i)] = r.scale * dot(&a(r.first + i, r.first), v, n);
  }
  const double half = 0.5 * r.scale * dot(w.data(), v, n);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] -= half * r.v[i];
  for (Index i = 0; i < n; ++i) {
    double* row = &a(r.first + i, r.first);
    const double vi = v[i], wi = w[static_cast<std::size_t>(i)];
    for (Index j = 0; j < n; ++j) row[j] -= vi * w[static_cast<std::size_t>(j)] + wi * v[j];
  }
  double along = 0;
  for (Index i = 0; i < n; ++i) along += v[i] * a(r.first + i, k);
  a(r.first, k) -= r.scale * along * v[0];
}

/// rows = rows H, on the columns from r.first on.
void reflect_rows(const Reflection& r, RowMatrix& rows) {
  const Index n = static_cast<Index>(r.v.size());
  for (Index i = 0; i < rows.rows(); ++i) {
    double* row = &rows(i, r.first);
    const double along = r.scale * dot(row, r.v.data(), n);
    for (Index j = 0; j < n; ++j) row[j] -= along * r.v[static_cast<std::size_t>(j)];
  }
}

struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> off;  ///< off[i] stands between diagonal[i] and [i + 1]; the last is unused
};

void rotate_rows(RowMatrix& rows, Index i, double c, double s) {
  double* upper = &rows(i, 0);
  double* lower = &rows(i + 1, 0);
  for (Index k = 0; k < rows.cols(); ++k) {
    const double below = lower[k];
    lower[k] = s * upper[k] + c * below;
    upper[k] = c * upper[k] - s * below;
  }
}

/// One QL step on the block l..m, whose off[m] is zero.
void ql_step(Tridiagonal& t, std::size_t l, std::size_t m, RowMatrix& rows) {
  std::vector<double>&d = t.diagonal, &e = t.off;
  const double slope = (d[l + 1] - d[l]) / (2 * e[l]);
  const double root = std::sqrt(slope * slope + 1);
  double g = d[m] - d[l] + e[l] / (slope + std::copysign(root, slope));
  double s = 1, c = 1, shift = 0;
  for (std::size_t i = m; i-- > l;) {
    const double f = s * e[i], b = c * e[i];
    const double r = std::sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r == 0) {  // the block falls apart here
      d[i + 1] -= shift;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - shift;
    const double change = (d[i] - g) * s + 2 * c * b;
    shift = s * change;
    d[i + 1] = g + shift;
    g = c * change - b;
    rotate_rows(rows, static_cast<Index>(i), c, s);
  }
  d[l] -= shift;
  e[l] = g;
  e[m] = 0;
}

void diagonalise(Tridiagonal& t, RowMatrix& rows) {
  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  const std::size_t n = t.diagonal.size();
  for (std::size_t l = 0; l < n; ++l) {
    for (int step = 0; step < kSteps; ++step) {
      std::size_t m = l;
      while (m + 1 < n) {
        const double size = std::abs(t.diagonal[m]) + std::abs(t.diagonal[m + 1]);
        if (std::abs(t.off[m]) <= kEpsilon * size) break;
        ++m;
      }
      if (m == l) break;
      ql_step(t, l, m, rows);
    }
  }
}

}  // namespace

SymmetricEigen symmetric_eigen(const RowMatrix& a) {
  BETATUNE_ASSERT(a.rows() == a.cols());
  const Index n = a.rows();
  RowMatrix work = a;
  std::vector<Reflection> reflections;
  for (Index k = 0; k + 2 < n; ++k) {
    reflections.push_back(reflection_of(work, k));
    if (reflections.back().scale != 0) reflect_both_sides(reflections.back(), work);
  }
  SymmetricEigen out;
  out.vectors = RowMatrix::Identity(n, n);
  for (const Reflection& each : reflections) reflect_rows(each, out.vectors);
  out.vectors.transposeInPlace();
  Tridiagonal t;
  for (Index i = 0; i < n; ++i) {
    t.diagonal.push_back(work(i, i));
    t.off.push_back(i + 1 < n ? work(i + 1, i) : 0);
  }
  diagonalise(t, out.vectors);
  out.values = Eigen::Map<const Eigen::VectorXd>(t.diagonal.data(), n);
  return out;
}

}  // namespace betatune
