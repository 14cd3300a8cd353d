#pragma once
/// What one column of the search space is to a Parzen estimator: a line, a grid of cells, or a set
/// of choices.

#include <cstdint>
#include <string>

#include "searchspaces/space.hpp"

namespace betatune {

/// The part of [0,1] that belongs to one value of a grid.
struct Cell {
  double low = 0;
  double high = 1;
};

class ParzenAxis {
 public:
  enum class Kind { line, grid, choice };

  ParzenAxis(const SearchSpace& space, std::size_t column);

  Kind kind() const { return kind_; }
  std::size_t column() const { return column_; }
  std::size_t levels() const { return levels_; }
  /// Of its parameter: draws are keyed by it, so that they do not depend on the order of
  /// declaration.
  const std::string& name() const { return name_; }
  /// The nearest point that a value has; `u` itself on a line.
  double snap(double u) const { return space_.snap(column_, u); }
  /// Borders lie half-way between neighbouring values, on the parameter's scale. Precondition: a
  /// grid, and `u` is a value's place.
  Cell cell(double u) const;

 private:
  std::uint64_t index(double u) const;

  SearchSpace space_;  // a copy costs nothing
  std::size_t column_;
  std::size_t levels_;
  Kind kind_ = Kind::line;
  std::string name_;
};

}  // namespace betatune
