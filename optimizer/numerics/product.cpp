#include "optimizer/numerics/product.hpp"

#include "optimizer/numerics/dense.hpp"

namespace betatune {

RowMatrix product(const RowMatrix& a, const RowMatrix& b) {
  RowMatrix out = RowMatrix::Zero(a.rows(), b.cols());
  const auto rows = static_cast<std::size_t>(a.rows()), depth = static_cast<std::size_t>(a.cols()),
             columns = static_cast<std::size_t>(b.cols());
  dense::add_product({rows, columns, depth, a.data(), depth, 1, dense::Shape::full, b.data(),
                      columns, out.data(), columns});
  return out;
}

RowMatrix product_of_transposed(const RowMatrix& a, const RowMatrix& b) {
  RowMatrix out = RowMatrix::Zero(a.cols(), b.cols());
  const auto rows = static_cast<std::size_t>(a.cols()), depth = static_cast<std::size_t>(a.rows()),
             columns = static_cast<std::size_t>(b.cols());
  dense::add_product({rows, columns, depth, a.data(), 1, rows, dense::Shape::full, b.data(),
                      columns, out.data(), columns});
  return out;
}

}  // namespace betatune
