#pragma once
/// What "better" means with several objectives: which results no other one beats in everything, and
/// how much of the space below a reference point they dominate. All objectives are minimised;
/// points are rows without NaN.

#include <Eigen/Core>
#include <vector>

#include "optimizer/numerics/factor.hpp"

namespace betatune {

/// Whether `a` is nowhere worse than `b` and somewhere better.
bool dominates(const Eigen::Ref<const Eigen::RowVectorXd>& a,
               const Eigen::Ref<const Eigen::RowVectorXd>& b);

/// The rows that no other row dominates, ascending; of equal rows the first.
std::vector<Eigen::Index> non_dominated(const RowMatrix& points);

/// The fronts that remain when the ones before are taken away: the front of each row, from 0. Equal
/// rows are in one front. O(n log n) for two objectives, O(n^2) for more.
/// source: Deb et al. 2002 (NSGA-II), doi:10.1109/4235.996017; how: Zhang et al. 2015 (ENS-BS),
/// doi:10.1109/TEVC.2014.2308305
std::vector<int> front_ranks(const RowMatrix& points);

/// One number per row to rank all of them by, lower is better: the row's front, and within it, in
/// [0, 1), its place by crowding distance, the loneliest first (NSGA-II); equals in their order.
Eigen::VectorXd front_merits(const RowMatrix& points);

/// The volume that rows dominate below `reference`; what does not dominate the reference adds
/// nothing. Exact, by slicing: O(n^(m-1) log n) for m objectives.
/// source: While et al. 2006 (HSO), doi:10.1109/TEVC.2005.851275
double hypervolume(const RowMatrix& points, const Eigen::VectorXd& reference);

/// A reference point for the rows of a front: in each objective its worst value and a tenth of its
/// range more. Where the front has no range, that of all `points` is taken, or 1.
/// source: the rule of BoTorch's infer_reference_point (Balandat et al. 2020, arXiv:1910.06403)
Eigen::VectorXd infer_reference(const RowMatrix& points, const std::vector<Eigen::Index>& front);

}  // namespace betatune
