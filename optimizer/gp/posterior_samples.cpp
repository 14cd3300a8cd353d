#include "optimizer/gp/posterior_samples.hpp"

#include <cmath>
#include <numbers>
#include <utility>

namespace betatune {
namespace {

constexpr Eigen::Index kWaves = 384;
/// Degrees of freedom of the spectral density of a Matern-5/2 kernel, a Student t distribution.
constexpr int kFreedom = 5;

}  // namespace

PosteriorSamples::PosteriorSamples(const FeatureMap& map, std::span<const Column> columns,
                                   Hyperparameters at, const RowMatrix& points,
                                   const Eigen::VectorXd& y)
    : map_(map), hyperparameters_(std::move(at)), features_(map.map(points)), y_(y) {
  for (const Feature& each : map.features()) {
    const bool choice = each.kind == Feature::Kind::choice;
    const auto column = static_cast<std::size_t>(each.column);
    levels_.push_back(choice ? static_cast<Eigen::Index>(columns[column].levels) : 0);
  }
  RowMatrix covariance;
  map_.kernel(hyperparameters_.lengthscales, features_, features_, true, covariance, nullptr);
  covariance *= hyperparameters_.amplitude;
  covariance.diagonal().array() += hyperparameters_.noise;
  factor_.append(covariance);
  draw(0, {});
}

void PosteriorSamples::draw(int count, Key key) {
  Stream stream(key);
  frequencies_.clear();
  for (const Eigen::Index levels : levels_) {
    frequencies_.emplace_back(kWaves, std::max<Eigen::Index>(levels, 1));
  }
  phases_.resize(kWaves);
  for (Eigen::Index wave = 0; wave < kWaves; ++wave) {
    double square = 0;
    for (int i = 0; i < kFreedom; ++i) square += std::pow(stream.normal(), 2);
    const double spread = std::sqrt(kFreedom / square);
    for (std::size_t f = 0; f < levels_.size(); ++f) {
      // Choices that differ are at a squared distance of 1: corners of a simplex.
      const double scale = levels_[f] > 0 ? std::numbers::sqrt2 : 1;
      const double length = hyperparameters_.lengthscales[map_.features()[f].column] * scale;
      for (double& each : frequencies_[f].row(wave)) each = spread * stream.normal() / length;
    }
    phases_[wave] = 2 * std::numbers::pi * stream.uniform();
  }
  weights_ = RowMatrix::Zero(kWaves, 1 + count);
  const double size = std::sqrt(2 * hyperparameters_.amplitude / static_cast<double>(kWaves));
  for (Eigen::Index s = 1; s <= count; ++s) {
    for (Eigen::Index wave = 0; wave < kWaves; ++wave) weights_(wave, s) = size * stream.normal();
  }
  RowMatrix residuals = y_.replicate(1, 1 + count) - waves(features_) * weights_;
  for (Eigen::Index s = 1; s <= count; ++s) {
    for (Eigen::Index i = 0; i < y_.size(); ++i) {
      residuals(i, s) -= std::sqrt(hyperparameters_.noise) * stream.normal();
    }
  }
  RowMatrix white;
  factor_.whiten(residuals, white);
  factor_.whiten_transposed(white, alpha_);
}

RowMatrix PosteriorSamples::waves(const RowMatrix& features) const {
  RowMatrix angles = phases_.transpose().replicate(features.cols(), 1);
  for (std::size_t f = 0; f < levels_.size(); ++f) {
    for (Eigen::Index i = 0; i < features.cols(); ++i) {
      const double value = features(static_cast<Eigen::Index>(f), i);
      if (levels_[f] == 0) {
        angles.row(i) += value * frequencies_[f].col(0).transpose();
      } else if (value >= 0) {
        const auto level = static_cast<Eigen::Index>(value * static_cast<double>(levels_[f]));
        angles.row(i) += frequencies_[f].col(std::min(level, levels_[f] - 1)).transpose();
      }
    }
  }
  return angles.array().cos().matrix();
}

RowMatrix PosteriorSamples::at(const RowMatrix& points) const {
  const RowMatrix features = map_.map(points);
  RowMatrix k;
  map_.kernel(hyperparameters_.lengthscales, features, features_, false, k, nullptr);
  return hyperparameters_.amplitude * (k * alpha_) + waves(features) * weights_;
}

}  // namespace betatune
