#pragma once
/// What earlier studies say of this one: their models' means, weighted, as the mean function of
/// this study's model. Weights follow from this study's own results, none is negative, and they
/// must pay: a mean function is taken only if it explains the results so much better that chance
/// cannot have done it. So an earlier study that misleads is dropped as soon as it is found out,
/// and what it gets wrong where it helps is left to the model of the differences.
///
/// source: the differences as in Golovin et al. 2017 (Vizier, section 3.3), weights by evidence
/// where Feurer et al. 2018 (arXiv:1802.02219) rank

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "optimizer/event.hpp"
#include "optimizer/gp/marginal_likelihood.hpp"
#include "optimizer/gp/mean_function.hpp"

namespace betatune {

class GpModel;

/// One model for each earlier study, of its results as far as they have a place in this space.
class EarlierModels {
 public:
  EarlierModels(const SearchSpace& space,
                std::span<const std::shared_ptr<const EarlierStudyRead>> studies);
  ~EarlierModels();

  Eigen::Index size() const { return std::ssize(models_); }
  /// Their names, in order; a study without a result in this space is left out.
  const std::vector<std::string>& names() const { return names_; }
  /// Means at m points, m x size(); outputs of each study in its own standard units.
  RowMatrix means(const RowMatrix& features) const;
  /// The weighted sum of the means; slopes as MeanFunction::value.
  Eigen::VectorXd sum(const Eigen::VectorXd& weights, const RowMatrix& features,
                      RowMatrix* slopes) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<GpModel>> models_;
};

/// offset + sum of weight_s mean_s
class EarlierTrend : public MeanFunction {
 public:
  EarlierTrend(std::shared_ptr<const EarlierModels> models, Eigen::VectorXd weights, double offset)
      : models_(std::move(models)), weights_(std::move(weights)), offset_(offset) {}
  Eigen::VectorXd value(const RowMatrix& features, RowMatrix* slopes) const override;
  const Eigen::VectorXd& weights() const { return weights_; }
  const EarlierModels& models() const { return *models_; }

 private:
  std::shared_ptr<const EarlierModels> models_;
  Eigen::VectorXd weights_;
  double offset_;
};

/// A model of what an earlier trend leaves over.
struct TrendFit {
  std::shared_ptr<const EarlierTrend> trend;
  /// By which outputs and trend are multiplied, so that the differences have unit variance.
  double scale = 1;
  Fit fit;              ///< of the scaled differences
  double evidence = 0;  ///< comparable with a fit of the outputs alone; prices are paid
};

/// The best of a few trends; nothing with fewer than 3 results, or if no earlier study rises where
/// the outputs do.
std::optional<TrendFit> fit_trend(const FeatureMap& map, const RowMatrix& features,
                                  const Eigen::VectorXd& outputs,
                                  const std::shared_ptr<const EarlierModels>& models);

}  // namespace betatune
