#include "optimizer/cmaes/choices.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/cmaes/distribution.hpp"

namespace betatune {

ChoiceDistribution::ChoiceDistribution(const std::vector<std::size_t>& choices) {
  for (const std::size_t count : choices) {
    const auto n = static_cast<Eigen::Index>(count);
    probabilities_.push_back(Eigen::VectorXd::Constant(n, 1 / static_cast<double>(n)));
  }
}

std::size_t ChoiceDistribution::draw(std::size_t parameter, Stream& stream) const {
  const Eigen::VectorXd& p = probabilities_[parameter];
  double at = stream.uniform();
  for (Eigen::Index k = 0; k + 1 < p.size(); ++k) {
    if (at < p[k]) return static_cast<std::size_t>(k);
    at -= p[k];
  }
  return static_cast<std::size_t>(p.size() - 1);
}

void ChoiceDistribution::update(const std::vector<std::vector<int>>& chosen) {
  const CmaConstants of = cma_constants(1, std::ssize(chosen));
  for (std::size_t p = 0; p < probabilities_.size(); ++p) {
    Eigen::VectorXd& q = probabilities_[p];
    const Eigen::VectorXd before = q;
    // The more choices there are, the less of it is learned from one generation.
    const double rate = of.mu_eff / (of.mu_eff + 2 + static_cast<double>(q.size()));
    for (Eigen::Index i = 0; i < of.parents; ++i) {
      const int choice = chosen[static_cast<std::size_t>(i)][p];
      if (choice < 0) continue;
      q -= rate * of.weights[i] * before;
      q[choice] += rate * of.weights[i];
    }
    keep_floor(q);
  }
}

/// Each choice keeps the probability that lets one point in four differ from the best choices in
/// some parameter (CatCMA's margin); what the raised ones gained, the others lose in proportion.
void ChoiceDistribution::keep_floor(Eigen::VectorXd& q) const {
  if (q.size() < 2) return;
  const double parameters = static_cast<double>(probabilities_.size());
  const double floor = (1 - std::pow(0.73, 1 / parameters)) / static_cast<double>(q.size() - 1);
  double total = 0, spare = 0;
  for (double& each : q) {
    each = std::max(each, floor);
    total += each;
    spare += each - floor;
  }
  const double excess = total - 1;
  if (spare <= 0) return;
  for (double& each : q) each -= excess * (each - floor) / spare;
}

}  // namespace betatune
