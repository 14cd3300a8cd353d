#include "optimizer/evolution/mutation.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace betatune {
namespace {

constexpr double kLargestStep = 0.3;
constexpr double kSmallestStep = 0.003;

/// Another one of the values of a column, each as likely.
double other_choice(const SearchSpace& space, std::size_t column, double u, Stream& stream) {
  const std::size_t levels = space.columns()[column].levels;
  const auto at = static_cast<std::size_t>(u * static_cast<double>(levels));
  const std::size_t step = 1 + stream.below(levels - 1);
  return space.level(column, (at + step) % levels);
}

/// Mirrored at the ends.
double inside(double u) {
  const double mirrored = std::abs(u);
  return std::clamp(mirrored > 1 ? 2 - mirrored : mirrored, 0.0, 1.0);
}

double other_number(const SearchSpace& space, std::size_t column, double u, Stream& stream) {
  const double size = kLargestStep * std::pow(kSmallestStep / kLargestStep, stream.uniform());
  const double step = size * stream.normal();
  const double moved = space.snap(column, inside(u + step));
  if (moved != u || space.columns()[column].levels == 0) return moved;
  // Too short to leave the cell: walk until the next value, on the other side if this one ends.
  const double pace =
      std::copysign(0.5 / static_cast<double>(space.columns()[column].levels), step);
  for (const double direction : {pace, -pace}) {
    for (double to = u + direction; to > -std::abs(pace) && to < 1 + std::abs(pace);
         to += direction) {
      const double next = space.snap(column, std::clamp(to, 0.0, 1.0));
      if (next != u) return next;
    }
  }
  return u;
}

}  // namespace

Eigen::VectorXd fill_inactive(const SearchSpace& space, const Eigen::VectorXd& point,
                              Stream& stream) {
  Eigen::VectorXd out = point;
  for (std::size_t j = 0; j < space.columns().size(); ++j) {
    double& u = out[static_cast<Eigen::Index>(j)];
    // Drawn whether it is needed or not: what follows in the stream stays the same.
    const double drawn = stream.uniform();
    if (is_inactive(u)) u = space.snap(j, drawn);
  }
  return out;
}

Eigen::VectorXd mutate(const SearchSpace& space, const Eigen::VectorXd& point, Stream& stream) {
  Eigen::VectorXd out = fill_inactive(space, point, stream);
  std::vector<std::size_t> free;
  for (std::size_t j = 0; j < space.columns().size(); ++j) {
    const bool active = !is_inactive(point[static_cast<Eigen::Index>(j)]);
    if (active && space.columns()[j].levels != 1) free.push_back(j);
  }
  if (free.empty()) return out;
  const std::size_t forced = free[stream.below(free.size())];
  for (const std::size_t j : free) {
    const bool changes = stream.below(free.size()) == 0;
    if (!changes && j != forced) continue;
    double& u = out[static_cast<Eigen::Index>(j)];
    const bool choice = space.columns()[j].kind == Column::Kind::categorical;
    u = choice ? other_choice(space, j, u, stream) : other_number(space, j, u, stream);
  }
  return out;
}

}  // namespace betatune
