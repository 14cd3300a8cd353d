#pragma once
/// The two steps of a growing Cholesky factor that are no matrix products: what happens within the
/// block of columns to which the new rows belong. As in dense.hpp each number is one sum in
/// ascending order, whatever the vector width and however many rows come at once.

#include <cstddef>

#include "optimizer/numerics/dense.hpp"

namespace betatune::dense {

constexpr std::size_t kFactorBlock = 48;  ///< rows and columns of a whole block

/// Rows before..before + count of a block; `lower` points at the block's first row and column of L,
/// of which the rows up to `before` are read.
struct BlockRows {
  std::size_t before = 0, count = 0;
  const double* lower = nullptr;
  std::size_t lower_row = 0;  ///< from one row to the next
};

/// columns: before + count rows of kFactorBlock numbers; row j has column j of the block for each
/// of the new rows: what earlier blocks leave of A, zero above the diagonal. Overwritten with L
/// (above the diagonal with anything). A pivot below `smallest` counts as `smallest`.
void factor_block(const BlockRows& rows, double smallest, double* columns,
                  Width width = machine_width());

/// white: the block's first row of W = L^-1, `columns` numbers per row, from the first column of
/// all. The new rows have T of W_new = -L_own^-1 T: what earlier blocks say of them, and -1 on the
/// diagonal; they are overwritten with W's. `lower` has the new rows too.
void invert_block(const BlockRows& rows, std::size_t columns, double* white, std::size_t white_row,
                  Width width = machine_width());

}  // namespace betatune::dense
