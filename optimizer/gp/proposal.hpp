#pragma once
/// The next point: where the acquisition function is highest over a mixed, conditional, constrained
/// space. Many raw points are compared, the best are improved: numbers along the gradient (all
/// together, so that each step is one matrix product), the others by moving to better neighbours.

#include <functional>

#include "optimizer/gp/acquisition.hpp"
#include "searchspaces/random.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

struct ProposalOptions {
  int raw_points = 1024;
  int neighbours = 128;  ///< raw points near the best results
  int starts = 8;
};

class Proposer {
 public:
  /// `gp` (whose length-scales say what is near), `acquisition` and `space` must outlive it.
  /// incumbents: the best results, one row each (may be empty).
  Proposer(const SearchSpace& space, const GaussianProcess& gp, const Acquisition& acquisition,
           RowMatrix incumbents, ProposalOptions options);

  /// The configuration of highest value that is acceptable, and its value; nothing if none of
  /// those that were looked at is. `acceptable` is asked only about valid ones that meet the
  /// constraints.
  struct Found {
    Configuration configuration;
    Eigen::VectorXd point;  ///< its encoding
    double value = 0;       ///< of the acquisition
  };
  std::optional<Found> propose(Key key,
                               const std::function<bool(const Configuration&)>& acceptable) const;

 private:
  /// A start and what became of it. Points are always feasible.
  struct Candidate {
    Eigen::VectorXd point;
    double value = 0;
  };

  RowMatrix raw(Key key) const;
  Eigen::VectorXd score(const RowMatrix& points) const;
  std::vector<Candidate> choose_starts(const RowMatrix& points, const Eigen::VectorXd& scores,
                                       const std::vector<Eigen::Index>& order) const;
  void follow_gradients(std::vector<Candidate>& candidates) const;
  bool move_to_neighbours(std::vector<Candidate>& candidates) const;
  std::vector<Eigen::VectorXd> neighbours_of(const Eigen::VectorXd& point) const;
  Eigen::VectorXd back_to_feasible(const Eigen::VectorXd& from, const Eigen::VectorXd& to) const;
  /// Optimized along the gradient: continuous, or a grid too fine to matter.
  bool is_smooth(std::size_t column) const;

  const SearchSpace& space_;
  const GaussianProcess& gp_;
  const Acquisition& acquisition_;
  RowMatrix incumbents_;
  ProposalOptions options_;
  bool any_smooth_ = false, any_discrete_ = false;
};

}  // namespace betatune
