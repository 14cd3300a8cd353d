#include "optimizer/pbt/gain_model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace betatune {
namespace {

/// The loss at the beginning is an input as any number is.
std::vector<Column> with_score(const std::vector<Column>& columns) {
  std::vector<Column> out{Column{}};
  out.insert(out.end(), columns.begin(), columns.end());
  return out;
}

/// The lowest loss that is known, and how far the others are above it lately (the median, of
/// losses that are all the same what there is).
CurveScale scale_of(const GainData& data, Eigen::Index lately) {
  double lowest = data.places.losses.minCoeff();
  std::vector<double> above;
  for (Eigen::Index i = data.places.size(); i-- > 0;) {
    const auto& after = data.after[static_cast<std::size_t>(i)];
    if (!after) continue;
    lowest = std::min(lowest, *after);
    if (std::ssize(above) < lately) above.push_back(*after);
  }
  std::ranges::sort(above);
  CurveScale out{lowest, above[above.size() / 2] - lowest};
  if (!(out.width > 0)) out.width = data.places.losses.maxCoeff() - lowest;
  if (!(out.width > 0) || !std::isfinite(out.width)) out.width = 1;
  return out;
}

}  // namespace

GainModel::GainModel(const std::vector<Column>& columns, const GainData& data, Eigen::Index lately)
    : map_(with_score(columns)), scale_(scale_of(data, lately)) {
  const Eigen::VectorXd scores =
      data.places.losses.unaryExpr([this](double loss) { return scale_.output_of(loss); });
  lowest_score_ = scores.minCoeff();
  score_range_ = scores.maxCoeff() - lowest_score_;
  if (!(score_range_ > 0)) score_range_ = 1;
  const Eigen::VectorXd y = outputs_of(data);
  const TimedFeatures points = features_of(data.places);
  process_.emplace(map_, fit_drift({map_, points, y}), points, y);
}

/// Gains for one interval, standardized.
Eigen::VectorXd GainModel::outputs_of(const GainData& data) {
  Eigen::VectorXd gains(data.places.size());
  double least = std::numeric_limits<double>::infinity();
  for (Eigen::Index i = 0; i < gains.size(); ++i) {
    const auto& after = data.after[static_cast<std::size_t>(i)];
    if (!after) continue;
    gains[i] =
        (scale_.output_of(data.places.losses[i]) - scale_.output_of(*after)) / data.intervals[i];
    least = std::min(least, gains[i]);
  }
  for (Eigen::Index i = 0; i < gains.size(); ++i) {
    if (!data.after[static_cast<std::size_t>(i)]) gains[i] = least;
  }
  mean_ = gains.mean();
  deviation_ = std::sqrt((gains.array() - mean_).square().mean());
  if (!(deviation_ > 0)) deviation_ = 1;
  return ((gains.array() - mean_) / deviation_).matrix();
}

TimedFeatures GainModel::features_of(const GainPlaces& places) const {
  RowMatrix points(places.size(), places.inputs.cols() + 1);
  points.rightCols(places.inputs.cols()) = places.inputs;
  for (Eigen::Index i = 0; i < places.size(); ++i) {
    points(i, 0) = (scale_.output_of(places.losses[i]) - lowest_score_) / score_range_;
  }
  return {map_.map(points), places.times};
}

void GainModel::append_pending(const GainPlaces& places) {
  process_->append_pending(features_of(places));
}

DriftProcess::Beliefs GainModel::predict(const GainPlaces& places) const {
  return process_->predict(features_of(places));
}

double GainModel::loss_after(double before, double gain) const {
  return scale_.loss_of(scale_.output_of(before) - (mean_ + deviation_ * gain));
}

}  // namespace betatune
