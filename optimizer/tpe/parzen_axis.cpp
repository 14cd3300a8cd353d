#include "optimizer/tpe/parzen_axis.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {

ParzenAxis::ParzenAxis(const SearchSpace& space, std::size_t column)
    : space_(space), column_(column), levels_(space.columns()[column].levels) {
  const Column& it = space.columns()[column];
  if (it.kind == Column::Kind::categorical) {
    kind_ = Kind::choice;
  } else if (it.kind != Column::Kind::continuous) {
    kind_ = Kind::grid;
  }
  name_ = space.parameters()[it.parameter].name;
}

std::uint64_t ParzenAxis::index(double u) const {
  const auto count = static_cast<double>(levels_);
  const auto even = static_cast<std::uint64_t>(std::clamp(std::floor(u * count), 0.0, count - 1));
  if (space_.level(column_, even) == u) return even;  // evenly spread, as all but log scales are
  std::uint64_t low = 0, high = levels_ - 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (space_.level(column_, middle) < u) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Cell ParzenAxis::cell(double u) const {
  const std::uint64_t k = index(u);
  const auto border = [&](std::uint64_t below) {
    return 0.5 * (space_.level(column_, below) + space_.level(column_, below + 1));
  };
  return {k == 0 ? 0 : border(k - 1), k + 1 == levels_ ? 1 : border(k)};
}

}  // namespace betatune
