#include "optimizer/de/child.hpp"

namespace betatune {

Eigen::VectorXd de_child(const SearchSpace& space, const DeParents& parents, double f, double cr,
                         Stream& stream) {
  Eigen::VectorXd out = parents.own;
  const auto forced =
      static_cast<Eigen::Index>(stream.below(static_cast<std::uint64_t>(out.size())));
  for (Eigen::Index j = 0; j < out.size(); ++j) {
    const bool crosses = stream.uniform() < cr;
    const bool follows_better = stream.uniform() < f, follows_other = stream.uniform() < f;
    if (!crosses && j != forced) continue;
    const double own = parents.own[j];
    if (space.columns()[static_cast<std::size_t>(j)].kind == Column::Kind::categorical) {
      if (follows_better) {
        out[j] = parents.better[j];
      } else if (follows_other && parents.plus[j] != parents.minus[j]) {
        out[j] = parents.plus[j];
      }
      continue;
    }
    out[j] = own + f * (parents.better[j] - own) + f * (parents.plus[j] - parents.minus[j]);
    if (out[j] < 0) out[j] = own / 2;
    if (out[j] > 1) out[j] = (1 + own) / 2;
  }
  return out;
}

}  // namespace betatune
