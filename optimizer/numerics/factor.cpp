#include "optimizer/numerics/factor.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/numerics/dense.hpp"
#include "searchspaces/result.hpp"

namespace betatune {
namespace {

constexpr std::size_t kBlock =
    48;  ///< boundaries are at multiples of it, wherever an append begins
constexpr double kSmallestPivot = 1e-12;

std::size_t index(Eigen::Index i) {
  return static_cast<std::size_t>(i);
}
Eigen::Index index(std::size_t i) {
  return static_cast<Eigen::Index>(i);
}

}  // namespace

void GrowingFactor::truncate(std::size_t size) {
  BETATUNE_ASSERT(size <= size_);
  // What is above the diagonal of later rows is zero and stays so; rows are written in full.
  size_ = size;
}

void GrowingFactor::reserve(std::size_t size) {
  if (size <= capacity_) return;
  // Not a multiple of a large power of two: rows would share the same few sets of the cache.
  const std::size_t capacity = (std::max(size, capacity_ + capacity_ / 4) + 15) / 16 * 16 + 8;
  std::vector<double> lower(capacity * capacity, 0.0), white(capacity * capacity, 0.0);
  for (std::size_t i = 0; i < size_; ++i) {
    std::copy_n(l(i), i + 1, lower.data() + i * capacity);
    std::copy_n(w(i), i + 1, white.data() + i * capacity);
  }
  lower_.swap(lower);
  white_.swap(white);
  capacity_ = capacity;
}

void GrowingFactor::append(const RowMatrix& rows) {
  const std::size_t first = size_;
  const std::size_t end = first + index(rows.rows());
  BETATUNE_ASSERT(index(rows.cols()) == end);
  reserve(end);
  for (std::size_t begin = first; begin < end;) {
    const std::size_t next = std::min(end, (begin / kBlock + 1) * kBlock);
    append_within_block(rows, first, begin, next);
    begin = next;
    size_ = next;
  }
}

/// Rows begin..end, all of one block that starts at `start` <= begin; `rows` begins at row `first`.
void GrowingFactor::append_within_block(const RowMatrix& rows, std::size_t first, std::size_t begin,
                                        std::size_t end) {
  const std::size_t start = begin / kBlock * kBlock;
  const std::size_t count = end - begin;
  const auto row = index(begin - first);
  // Columns before the block: L_new^T = W A_new^T, and T^T = W^T L_new^T for W_new = -L_new W.
  const RowMatrix a = rows.block(row, 0, index(count), index(start)).transpose();
  RowMatrix left = RowMatrix::Zero(index(start), index(count));
  RowMatrix t = RowMatrix::Zero(index(start), index(count));
  dense::add_product({start, count, start, white_.data(), capacity_, 1, dense::Shape::lower,
                      a.data(), count, left.data(), count});
  dense::add_product({start, count, start, white_.data(), 1, capacity_, dense::Shape::upper,
                      left.data(), count, t.data(), count});
  for (std::size_t i = begin; i < end; ++i) {
    for (std::size_t j = 0; j < start; ++j) {
      l(i)[j] = left(index(j), index(i - begin));
      w(i)[j] = t(index(j), index(i - begin));
    }
  }
  // What is left of the block's own columns once those before it are taken off.
  RowMatrix block = RowMatrix::Zero(index(start), index(end - start));
  for (std::size_t j = start; j < end; ++j) {
    for (std::size_t k = 0; k < start; ++k) block(index(k), index(j - start)) = l(j)[k];
  }
  RowMatrix rest = rows.block(row, index(start), index(count), index(end - start));
  dense::add_product({count, end - start, start, l(begin), capacity_, 1, dense::Shape::full,
                      block.data(), end - start, rest.data(), end - start, -1});
  for (std::size_t i = begin; i < end; ++i) finish_row(i, start, &rest(index(i - begin), 0));
}

/// Row i within its block; `rest` has A's entries less what earlier blocks explain.
void GrowingFactor::finish_row(std::size_t i, std::size_t start, const double* rest) {
  double* li = l(i);
  double* wi = w(i);
  for (std::size_t j = start; j <= i; ++j) {
    double sum = rest[j - start];
    const double* lj = l(j);
    for (std::size_t k = start; k < j; ++k) sum -= li[k] * lj[k];
    li[j] = j < i ? sum / lj[j] : std::sqrt(std::max(sum, kSmallestPivot));
  }
  std::fill(wi + start, wi + i, 0.0);
  for (std::size_t k = start; k < i; ++k) {
    const double factor = li[k];
    const double* wk = w(k);
    for (std::size_t j = 0; j <= k; ++j) wi[j] += factor * wk[j];
  }
  for (std::size_t j = 0; j < i; ++j) wi[j] = -wi[j] / li[i];
  wi[i] = 1 / li[i];
}

void GrowingFactor::whiten(const RowMatrix& in, RowMatrix& out) const {
  const std::size_t columns = index(in.cols());
  out.setZero(in.rows(), in.cols());
  dense::add_product({size_, columns, size_, white_.data(), capacity_, 1, dense::Shape::lower,
                      in.data(), columns, out.data(), columns});
}

void GrowingFactor::whiten_transposed(const RowMatrix& in, RowMatrix& out) const {
  const std::size_t columns = index(in.cols());
  out.setZero(in.rows(), in.cols());
  dense::add_product({size_, columns, size_, white_.data(), 1, capacity_, dense::Shape::upper,
                      in.data(), columns, out.data(), columns});
}

RowMatrix GrowingFactor::inverse() const {
  RowMatrix out = RowMatrix::Zero(index(size_), index(size_));
  dense::add_product({size_, size_, size_, white_.data(), 1, capacity_, dense::Shape::upper,
                      white_.data(), capacity_, out.data(), size_});
  return out;
}

double GrowingFactor::half_log_determinant() const {
  double sum = 0;
  for (std::size_t i = 0; i < size_; ++i) sum += std::log(l(i)[i]);
  return sum;
}

}  // namespace betatune
