#pragma once
/// CMA-ES with margin: on a grid, a normal distribution that has become narrower than a cell gives
/// the same value for ever. Here the mean stays so near to a border, and the samples are stretched
/// so far, that every coordinate leaves the mean's cell with at least a given probability.
///
/// source: Hamano et al. 2022, arXiv:2205.13482

#include <optional>

namespace betatune {

/// The borders of the cell that the mean is in; one of them is missing in the first and last cell.
struct CellBorders {
  std::optional<double> low, high;
};

struct MarginInput {
  double mean = 0;
  double deviation = 1;  ///< of the coordinate, not stretched
  double stretch = 1;    ///< by which samples are moved away from the mean before they are rounded
  CellBorders borders;
  double margin = 0;  ///< probability of leaving the cell, both sides together; below 1/2
};

struct Margin {
  double mean = 0;
  double stretch = 1;
};

Margin keep_margin(const MarginInput& in);

}  // namespace betatune
