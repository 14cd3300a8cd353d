#include "optimizer/gp/transfer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "optimizer/gp/model.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kLeastResults = 3;
constexpr Eigen::Index kMostRows = 200;  ///< of each earlier study
constexpr double kPrice = 2;             ///< nats that each weight must be worth
constexpr double kRidge = 0.5;           ///< draws weights to zero, in squared outputs
constexpr double kLeastLeft = 0.05;      ///< deviation of the differences, at least
constexpr int kSweeps = 100;

Samples samples_of(const SearchSpace& space, const EarlierStudyRead& study) {
  std::vector<Eigen::VectorXd> points;
  std::vector<double> losses;
  for (const EarlierResult& each : study.results) {
    auto point = space.try_encode(each.configuration);
    if (!point || point->array().isNaN().all()) continue;
    points.push_back(*std::move(point));
    losses.push_back(each.loss);
  }
  const Eigen::VectorXd all = Eigen::Map<const Eigen::VectorXd>(losses.data(), std::ssize(losses));
  const std::vector<Eigen::Index> rows = choose_rows(all, kMostRows);
  Samples out{{}, RowMatrix(std::ssize(rows), space.dims()), Eigen::VectorXd(std::ssize(rows))};
  for (Eigen::Index i = 0; i < out.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows[static_cast<std::size_t>(i)]);
    out.trials.push_back(row);
    out.points.row(i) = points[row].transpose();
    out.values[i] = losses[row];
  }
  return out;
}

/// Non-negative least squares with a ridge, by coordinate descent. Columns are centred.
Eigen::VectorXd weigh(const RowMatrix& means, const Eigen::VectorXd& outputs,
                      const std::vector<Eigen::Index>& allowed) {
  Eigen::VectorXd weights = Eigen::VectorXd::Zero(means.cols());
  Eigen::VectorXd left = outputs;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (const Eigen::Index s : allowed) {
      const auto column = means.col(s);
      const double before = weights[s];
      const double square = column.squaredNorm();
      weights[s] = std::max(0.0, (column.dot(left) + before * square) / (square + kRidge));
      left -= (weights[s] - before) * column;
    }
  }
  return weights;
}

/// All studies together, and each by itself.
std::vector<std::vector<Eigen::Index>> choices_of(Eigen::Index studies) {
  std::vector<std::vector<Eigen::Index>> out(1);
  for (Eigen::Index s = 0; s < studies; ++s) out.front().push_back(s);
  for (Eigen::Index s = 0; s < studies && studies > 1; ++s) out.push_back({s});
  return out;
}

}  // namespace

EarlierModels::EarlierModels(const SearchSpace& space,
                             std::span<const std::shared_ptr<const EarlierStudyRead>> studies) {
  for (const auto& study : studies) {
    const Samples samples = samples_of(space, *study);
    if (samples.size() == 0) continue;
    names_.push_back(study->study);
    models_.push_back(std::make_unique<GpModel>(space.columns()));
    models_.back()->keep_scales();
    models_.back()->condition(samples, 0);
  }
}

EarlierModels::~EarlierModels() = default;

RowMatrix EarlierModels::means(const RowMatrix& features) const {
  RowMatrix out(features.cols(), size());
  Eigen::VectorXd mean, unused;
  for (Eigen::Index s = 0; s < size(); ++s) {
    models_[static_cast<std::size_t>(s)]->posterior().screen(features, mean, unused);
    out.col(s) = mean;
  }
  return out;
}

Eigen::VectorXd EarlierModels::sum(const Eigen::VectorXd& weights, const RowMatrix& features,
                                   RowMatrix* slopes) const {
  Eigen::VectorXd out = Eigen::VectorXd::Zero(features.cols());
  if (slopes != nullptr) slopes->setZero(features.rows(), features.cols());
  for (Eigen::Index s = 0; s < size(); ++s) {
    if (weights[s] == 0) continue;
    const GaussianProcess& gp = models_[static_cast<std::size_t>(s)]->posterior();
    if (slopes == nullptr) {
      Eigen::VectorXd mean, unused;
      gp.screen(features, mean, unused);
      out += weights[s] * mean;
      continue;
    }
    const Prediction at = gp.predict(features, true);
    out += weights[s] * at.mean;
    *slopes += weights[s] * at.mean_slope;
  }
  return out;
}

Eigen::VectorXd EarlierTrend::value(const RowMatrix& features, RowMatrix* slopes) const {
  return (models_->sum(weights_, features, slopes).array() + offset_).matrix();
}

std::optional<TrendFit> fit_trend(const FeatureMap& map, const RowMatrix& features,
                                  const Eigen::VectorXd& outputs,
                                  const std::shared_ptr<const EarlierModels>& models) {
  const Eigen::Index n = outputs.size();
  if (n < kLeastResults || models->size() == 0) return std::nullopt;
  RowMatrix means = models->means(features);
  const Eigen::RowVectorXd middles = means.colwise().mean();
  means.rowwise() -= middles;
  const double middle = outputs.mean();
  const Eigen::VectorXd centred = (outputs.array() - middle).matrix();
  std::optional<TrendFit> best;
  for (const std::vector<Eigen::Index>& allowed : choices_of(models->size())) {
    const Eigen::VectorXd weights = weigh(means, centred, allowed);
    const auto used = static_cast<double>((weights.array() > 0).count());
    if (used == 0) continue;
    const Eigen::VectorXd left = centred - means * weights;
    const double deviation =
        std::max(kLeastLeft, std::sqrt(left.squaredNorm() / static_cast<double>(n)));
    const double scale = 1 / deviation;
    const Eigen::VectorXd scaled = scale * left;
    const Fit start = most_probable_starts({map, features}, scaled).front();
    TrendFit each;
    each.fit = fit_hyperparameters({map, features}, scaled, start.at);
    each.scale = scale;
    each.evidence =
        each.fit.log_posterior + static_cast<double>(n) * std::log(scale) - kPrice * used;
    each.trend = std::make_shared<const EarlierTrend>(models, scale * weights,
                                                      scale * (middle - middles.dot(weights)));
    if (!best || each.evidence > best->evidence) best = std::move(each);
  }
  return best;
}

}  // namespace betatune
