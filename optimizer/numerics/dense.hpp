#pragma once
/// The few dense kernels in which a Gaussian process spends its time.
///
/// Why not Eigen's products: theirs cut a sum into pieces by the size of the machine's caches, so
/// the last bits differ between machines, and between one product of many rows and many of one row.
/// Here each result is one sum in ascending order, without fused multiply-add, whatever the
/// blocking and the vector width: a factor that grew row by row equals one computed at once, bit
/// for bit, on every x86-64 machine. The widest vectors that the machine has are chosen at run
/// time. Matrices are row-major with a leading dimension.

#include <cstddef>

namespace betatune::dense {

/// Vectors of two, four or eight doubles. The widest of this machine is the default everywhere;
/// wider ones than it has must not be asked for.
enum class Width { narrow, avx2, avx512 };
Width machine_width();

/// Which entries of A may be other than zero. The others must be zero: some are multiplied.
enum class Shape { full, lower, upper };

/// C += alpha A B, with A (rows x depth), B (depth x columns), C (rows x columns).
struct Product {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t depth = 0;
  const double* a = nullptr;
  std::size_t a_row = 0;     ///< from one row of A to the next
  std::size_t a_column = 1;  ///< from one column of A to the next: a transpose swaps the two
  Shape shape = Shape::full;
  const double* b = nullptr;
  std::size_t b_row = 0;
  double* c = nullptr;
  std::size_t c_row = 0;
  double alpha = 1;  ///< 1 or -1
};
void add_product(const Product& product, Width width = machine_width());

/// out[i] += weight (point - values[i])^2, for i < n.
void add_squared_distance(double point, double weight, const double* values, std::size_t n,
                          double* out, Width width = machine_width());

/// The Matern-5/2 kernel of squared distances, and its slope by the squared distance:
///   value = (1 + r + r^2/3) exp(-r), slope = -5/6 (1 + r) exp(-r), r = sqrt(5 distance).
/// `slope` may be null; `value` may be `distance` itself. Relative error below 1e-14.
void matern52(const double* distance, std::size_t n, double* value, double* slope,
              Width width = machine_width());

}  // namespace betatune::dense
