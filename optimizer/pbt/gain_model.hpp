#pragma once
/// What training for one interval is expected to gain, by the time, the loss that it begins with
/// and the parameters: the model of population-based bandits (PB2, Parker-Holder et al. 2020,
/// arXiv:2002.02518).
///
/// Gains are differences of losses on a scale that rises slowly far above the lowest (CurveScale):
/// of raw losses, the first gains are so much larger than all later ones that nothing would be
/// learned from these. So nothing changes where all losses are shifted or stretched.

#include <optional>
#include <vector>

#include "optimizer/curves/curve_model.hpp"
#include "optimizer/pbt/drift_process.hpp"

namespace betatune {

/// Places of the model: when, from which loss, and with which parameters.
struct GainPlaces {
  Eigen::VectorXd times;   ///< n; of the beginning, in intervals
  Eigen::VectorXd losses;  ///< n; at the beginning
  RowMatrix inputs;        ///< n x columns, of the unit cube; NaN where inactive

  Eigen::Index size() const { return times.size(); }
};

struct GainData {
  GainPlaces places;
  Eigen::VectorXd intervals;                 ///< n; how long each was trained
  std::vector<std::optional<double>> after;  ///< n; the loss then; nothing: it failed, which counts
                                             ///< as the least gain that was seen
};

class GainModel {
 public:
  /// columns: of the inputs. lately: that many of the last rows say how far losses are apart now.
  /// Precondition: some row has a loss after.
  GainModel(const std::vector<Column>& columns, const GainData& data, Eigen::Index lately);

  /// Looked at from now on, results to come.
  void append_pending(const GainPlaces& places);
  /// Of gains, in units of their deviation about their mean.
  DriftProcess::Beliefs predict(const GainPlaces& places) const;
  /// What a training that begins with `before` comes to, if it gains so much.
  double loss_after(double before, double gain) const;
  const DriftHyperparameters& hyperparameters() const { return process_->hyperparameters(); }

 private:
  TimedFeatures features_of(const GainPlaces& places) const;
  Eigen::VectorXd outputs_of(const GainData& data);

  FeatureMap map_;
  CurveScale scale_;
  double lowest_score_ = 0, score_range_ = 1;  ///< of the losses at the beginning, on the scale
  double mean_ = 0, deviation_ = 1;            ///< of the gains, on the scale
  std::optional<DriftProcess> process_;
};

}  // namespace betatune
