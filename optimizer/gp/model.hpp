#pragma once
/// The model of a study: which data, which hyper-parameters, kept warm between asks.

#include <memory>
#include <optional>
#include <vector>

#include "optimizer/gp/gaussian_process.hpp"
#include "optimizer/gp/observations.hpp"
#include "optimizer/gp/output_transform.hpp"
#include "optimizer/gp/transfer.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// What a model is of: losses, of which the lowest matter; one of several objectives, whose gains
/// are weighed against the others'; or slacks, of which those near 0 matter.
enum class ModelOf { losses, objective, slacks };

/// At how many results the hyper-parameters were last fitted when there are n: at every one up to
/// 50, then at each 5 % more (at most 300 more).
Eigen::Index refit_size(Eigen::Index n);

/// At most `count` of n rows: a third the best, a third the latest, the rest evenly from the
/// others; ascending. losses may have NaN (worst).
std::vector<Eigen::Index> choose_rows(const Eigen::VectorXd& losses, Eigen::Index count);

/// A cache over pure functions: hyper-parameters follow from the first refit_size(n) results alone,
/// and the factor has the same bits however it grew. So a cold start gives what a warm one gives.
class GpModel {
 public:
  /// draws: where hyper-parameters for drawn() come from, and how many; none: they are the most
  /// probable ones.
  struct Draws {
    Key key;
    int count = 1;
  };
  explicit GpModel(std::span<const Column> columns, ModelOf of = ModelOf::losses,
                   std::optional<Draws> draws = {})
      : map_(columns), of_(of), draws_(draws) {}

  /// With the warps of the last fit.
  const FeatureMap& map() const { return map_; }
  /// Numbers are never warped: for models whose features others compute.
  void keep_scales() { may_warp_ = false; }
  /// From now on; models of earlier studies in the same space, or null.
  void learn_from(std::shared_ptr<const EarlierModels> earlier);

  /// The posterior of `data`, to which pending points may be appended; they are dropped at the next
  /// call. `pending`: how many trials may still add results in between. Precondition: data is not
  /// empty.
  GaussianProcess& condition(const Samples& data, Eigen::Index pending);
  /// The same posterior under hyper-parameters that were drawn at the fit, while few results leave
  /// much possible; else what condition() returned, which comes first. Pending points as there.
  /// Never empty.
  std::vector<GaussianProcess*> drawn();
  /// Standard deviation of the noise in units of the loss, near the lowest. After condition().
  double noise_deviation() const;
  /// Of the outputs that the posterior has. After condition().
  OutputBend bend() const { return bend_; }
  /// By which these outputs were multiplied then.
  double output_scale() const { return output_scale_; }
  /// Of the outputs by the loss, at the lowest loss. After condition().
  double slope_at_best() const { return slope_at_best_; }
  /// What earlier studies contribute; null: nothing. After condition().
  const EarlierTrend* trend() const { return trend_.get(); }
  /// What condition() returned last.
  const GaussianProcess& posterior() const { return *probable_.gp; }
  /// The output of a slack of 0. After condition().
  double zero() const { return zero_; }
  /// The output of one of several objectives at a value. After condition().
  double output_of(double value) const { return zero_ + value * slope_at_best_; }

 private:
  /// A posterior, and the ids of its rows.
  struct Posterior {
    std::unique_ptr<GaussianProcess> gp;
    std::vector<std::size_t> trials;
  };
  Posterior make_posterior(Hyperparameters at) const;
  /// Gives it the data; keeps what it shares with those that it had.
  void update(Posterior& posterior, const Samples& data, const std::vector<Eigen::Index>& rows,
              const Outputs& outputs) const;
  void fit(const Samples& data, Eigen::Index size);
  /// Of the fitted values at `points`; sets the bend, the trend and the scale of the outputs that
  /// explain them best.
  Hyperparameters fit_with_bend(const RowMatrix& points);
  /// Draws hyper-parameters round the most probable ones, if there are as many results as it takes.
  void draw_near(const Hyperparameters& mode, const Training& training, const Eigen::VectorXd& y);
  std::vector<Eigen::Index> rows_of(const Samples& data) const;
  Outputs outputs_of(const Eigen::VectorXd& values, OutputBend bend) const;
  /// What choose_rows() shall take for best.
  Eigen::VectorXd ranks_of(const Eigen::VectorXd& values) const;

  FeatureMap map_;
  ModelOf of_;
  double zero_ = 0;
  std::vector<std::size_t> fitted_trials_;  ///< ids of the results that the fit has seen
  Eigen::VectorXd fitted_values_, fitted_doubts_;
  std::shared_ptr<const EarlierModels> earlier_;
  OutputBend bend_;
  std::shared_ptr<const EarlierTrend> trend_;
  double output_scale_ = 1;
  double slope_at_best_ = 1;
  std::optional<Draws> draws_;
  bool may_warp_ = true;
  Posterior probable_;
  std::vector<Posterior> drawn_;
};

}  // namespace betatune
