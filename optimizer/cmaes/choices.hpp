#pragma once
/// The categorical part of a CMA-ES: for each categorical parameter the probabilities of its
/// choices, moved towards those of the better points.
///
/// source: Hamano et al. 2024, CatCMA, arXiv:2405.09962: the natural gradient of the categorical
/// distributions, and the floor under each probability; its learning rate is fixed here.

#include <Eigen/Core>
#include <vector>

#include "searchspaces/random.hpp"

namespace betatune {

class ChoiceDistribution {
 public:
  /// Even probabilities. choices: how many each parameter has, at least 1.
  explicit ChoiceDistribution(const std::vector<std::size_t>& choices);

  std::size_t parameters() const { return probabilities_.size(); }
  const Eigen::VectorXd& probabilities(std::size_t parameter) const {
    return probabilities_[parameter];
  }
  std::size_t draw(std::size_t parameter, Stream& stream) const;

  /// chosen[i][p]: what point i, best first, has for parameter p; -1 if it has none there, and then
  /// it does not move p. Only the first half of the points has a part.
  void update(const std::vector<std::vector<int>>& chosen);

 private:
  void keep_floor(Eigen::VectorXd& probabilities) const;

  std::vector<Eigen::VectorXd> probabilities_;
};

}  // namespace betatune
