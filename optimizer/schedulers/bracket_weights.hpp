#pragma once
/// How often new trials begin at which rung: what a low rung is worth follows from how well a model
/// of its results predicts the order of the trials at the highest rung that is measured
/// (Hyper-Tune, Li et al. 2022, arXiv:2201.06834, section 4.1).
///
/// theta_i  probability that, of all rungs, functions drawn from the model of rung i rank the
/// trials
///          of that highest rung best; its own model is judged by cross-validation
/// w_i      proportional to theta_i / r_i: a rung that is twice as dear must be twice as reliable
///
/// The paper waits for results at the last rung. As in Syne Tune, theta is learned here as soon as
/// the second rung has some; rungs above the highest measured one keep the share that they have by
/// default, which is that of Hyperband's table of trials.

#include <span>
#include <vector>

#include "configs/study_spec.hpp"
#include "optimizer/gp/feature_map.hpp"
#include "optimizer/numerics/factor.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// A result at a rung, in the order in which they came.
struct RungMeasurement {
  TrialId trial;
  std::size_t rung = 0;
  double loss = 0;
  double violation = 0;  ///< of the outcome constraints
};

/// The least number of results with which a rung is modelled.
inline constexpr std::size_t kLeastMeasured = 6;
/// Functions drawn from each rung's model.
inline constexpr int kRankingDraws = 100;

/// Of all ordered pairs of trials, how many the prediction puts in another order than the
/// measurement: sum over j, k of (predicted_j < predicted_k) xor (measured_j < measured_k).
int ranking_loss(const Eigen::Ref<const Eigen::VectorXd>& predicted,
                 const Eigen::Ref<const Eigen::VectorXd>& measured);

/// theta: in which share of the draws (columns) each rung (row) has the lowest loss. Rungs that tie
/// share the draw.
std::vector<double> shares_of_lowest(const RowMatrix& losses);

/// How many of Hyperband's trials begin at each of so many rungs, as probabilities.
std::vector<double> hyperband_shares(std::size_t rungs, double eta);

/// The probabilities of all rungs: theta_i / levels_i for those that have a theta, in the share
/// that `otherwise` gives them together; beyond them what it says.
std::vector<double> bracket_weights(std::span<const double> theta, std::span<const Step> levels,
                                    std::vector<double> otherwise);

/// Which rung: the first whose cumulated weight exceeds `uniform`, in [0, 1).
std::size_t draw_rung(std::span<const double> weights, double uniform);

/// How many rungs, from the lowest on, have enough results.
std::size_t modelled_rungs(std::span<const std::size_t> counts);

/// theta of those rungs, the highest of which is the one to be predicted; empty if there is one or
/// none. A function of the measurements and the key alone.
/// points: the configuration of each measurement, encoded, one a row
std::vector<double> rung_reliability(const FeatureMap& map, std::span<const Column> columns,
                                     std::span<const RungMeasurement> measured,
                                     const RowMatrix& points, Key key);

}  // namespace betatune
