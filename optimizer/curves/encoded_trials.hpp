#pragma once
/// Trials as points of the unit cube, kept between calls: configurations never change.

#include <Eigen/Core>
#include <memory>
#include <optional>
#include <vector>

#include "optimizer/study_state.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

class EncodedTrials {
 public:
  /// Before a round of at(): references that it gives stay good until the next call.
  void expect(std::size_t trials) {
    if (encoded_.size() < trials) encoded_.resize(trials);
  }
  /// Nothing for a trial of an earlier version of the space that has no place in this one.
  /// Precondition: expected.
  const std::optional<Eigen::VectorXd>& at(const SearchSpace& space, const Trial& trial) {
    Encoded& own = encoded_[trial.id.n];
    if (own.configuration != trial.configuration) {
      own = {trial.configuration, space.try_encode(*trial.configuration)};
    }
    return own.point;
  }

 private:
  struct Encoded {
    std::shared_ptr<const Configuration> configuration;
    std::optional<Eigen::VectorXd> point;
  };
  std::vector<Encoded> encoded_;
};

}  // namespace betatune
