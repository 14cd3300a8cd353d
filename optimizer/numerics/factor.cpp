#include "optimizer/numerics/factor.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "optimizer/numerics/dense.hpp"
#include "optimizer/numerics/factor_block.hpp"
#include "searchspaces/result.hpp"

namespace betatune {
namespace {

/// Boundaries are at multiples of it, wherever an append begins.
constexpr std::size_t kBlock = dense::kFactorBlock;
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
  finish_block(rows.block(row, index(start), index(count), index(end - start)), left, begin);
}

/// The block's own columns; `own` has A's entries in them, `left` what is before them, transposed.
void GrowingFactor::finish_block(const Eigen::Ref<const RowMatrix, 0, Eigen::OuterStride<>>& own,
                                 const RowMatrix& left, std::size_t begin) {
  const std::size_t start = begin / kBlock * kBlock, count = index(own.rows());
  const std::size_t before = begin - start, columns = before + count;
  alignas(64) std::array<double, kBlock * kBlock> rest{};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j <= before + i; ++j) rest[j * kBlock + i] = own(index(i), index(j));
  }
  // What is left of them once those before are taken off.
  dense::add_product({columns, count, start, l(start), capacity_, 1, dense::Shape::full,
                      left.data(), count, rest.data(), kBlock, -1});
  const dense::BlockRows rows{before, count, l(start) + start, capacity_};
  dense::factor_block(rows, kSmallestPivot, rest.data());
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j <= before + i; ++j) l(begin + i)[start + j] = rest[j * kBlock + i];
    std::fill_n(w(begin + i) + start, columns, 0.0);
    w(begin + i)[begin + i] = -1;
  }
  dense::invert_block(rows, start + columns, w(start), capacity_);
  for (std::size_t i = 0; i < count; ++i) {
    std::fill(w(begin + i) + begin + i + 1, w(begin + i) + start + columns, 0.0);
  }
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

void GrowingFactor::solve(const RowMatrix& in, RowMatrix& white, RowMatrix& solved) const {
  const std::size_t columns = index(in.cols());
  white.setZero(in.rows(), in.cols());
  solved.setZero(in.rows(), in.cols());
  for (std::size_t begin = 0; begin < size_; begin += kBlock) {
    const std::size_t count = std::min(size_ - begin, kBlock);
    double* own = white.data() + begin * columns;
    const auto product = [&](std::size_t rows, std::size_t depth, const double* a, bool transposed,
                             dense::Shape shape, const double* b, double* c) {
      dense::add_product({rows, columns, depth, a, transposed ? 1 : capacity_,
                          transposed ? capacity_ : 1, shape, b, columns, c, columns});
    };
    // The rows of W at hand: what is left of their diagonal block, and that block.
    product(count, begin, w(begin), false, dense::Shape::full, in.data(), own);
    product(count, count, w(begin) + begin, false, dense::Shape::lower, in.data() + begin * columns,
            own);
    product(begin, count, w(begin), true, dense::Shape::full, own, solved.data());
    product(count, count, w(begin) + begin, true, dense::Shape::upper, own,
            solved.data() + begin * columns);
  }
}

RowMatrix GrowingFactor::inverse() const {
  RowMatrix out = RowMatrix::Zero(index(size_), index(size_));
  // Up to the diagonal, by blocks of rows; it is symmetric.
  for (std::size_t begin = 0; begin < size_; begin += kBlock) {
    const std::size_t end = std::min(size_, begin + kBlock);
    dense::add_product({end - begin, end, size_ - begin, w(begin) + begin, 1, capacity_,
                        dense::Shape::upper, w(begin), capacity_, &out(index(begin), 0), size_});
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t j = 0; j < i; ++j) out(index(j), index(i)) = out(index(i), index(j));
    }
  }
  return out;
}

double GrowingFactor::half_log_determinant() const {
  double sum = 0;
  for (std::size_t i = 0; i < size_; ++i) sum += std::log(l(i)[i]);
  return sum;
}

}  // namespace betatune
