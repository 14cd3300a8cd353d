#pragma once
/// Parzen estimators over a group of columns: a mixture of products of kernels, one per
/// observation, and a wide one that stands for the prior.
///
/// | column | kernel round an observation |
/// | line   | normal density, cut off at 0 and 1 |
/// | grid   | the mass that such a density puts on the cell of each value |
/// | choice | probability 1 - b for the choice itself, b / (choices - 1) for each other |
///
/// The width of a normal kernel is the distance to its farther neighbour, but no less than 0.03 (or
/// half a cell of a grid) and never over 1 (Bergstra et al. 2011 with the "magic clip" of Watanabe
/// 2023, arXiv:2304.11127); b is 0.2.
///
/// golden: tests/golden/tpe/parzen.json

#include <Eigen/Core>
#include <limits>
#include <vector>

#include "optimizer/tpe/parzen_axis.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// Observations of the columns of a group, all active, and what each counts for.
struct KernelCentres {
  static constexpr std::size_t kNoTrial = std::numeric_limits<std::size_t>::max();

  std::vector<std::vector<double>> columns;  ///< [column of the group][observation]
  std::vector<double> weights;               ///< positive, not normalised
  std::vector<std::size_t> trials;           ///< ids; kNoTrial for what is not a trial yet

  std::size_t size() const { return weights.size(); }
};

/// The widths of kernels at `centres` (in [0,1], any order): the larger of the distances to the
/// neighbours on both sides, the ends of [0,1] counting as neighbours, between `narrowest` and 1.
/// Precondition: narrowest >= 1/64.
std::vector<double> neighbour_widths(const std::vector<double>& centres, double narrowest);

/// Logarithms of normalisers that do not change while a kernel's width does not. A cache.
class NormaliserCache {
 public:
  /// log of the integral over [0,1] of exp(-(u - centre)^2 / (2 width^2)).
  double log_normaliser(std::size_t trial, double centre, double width);

 private:
  struct Entry {
    double width = 0;
    double value = 0;
  };
  std::vector<Entry> by_trial_;
};

/// The kernels of one column. The last one is the prior's.
class ParzenColumn {
 public:
  ParzenColumn(const ParzenAxis& axis, const KernelCentres& from, std::size_t column,
               NormaliserCache& cache);

  std::size_t kernels() const { return centres_.size(); }
  double width(std::size_t kernel) const { return widths_[kernel]; }
  /// out[i] += what log kernel i owes to its normaliser, wherever it is evaluated.
  void add_log_normalisers(double* out) const;
  /// out[i] += the rest of log kernel i at `u`, a value's place.
  void add_log_kernels(double u, double* out) const;
  /// A draw from one kernel: a value's place.
  double draw(std::size_t kernel, Stream& stream) const;

 private:
  void make_choices();
  void make_normals(const KernelCentres& from, NormaliserCache& cache);
  void make_shapes();
  double choice_draw(std::size_t kernel, Stream& stream) const;

  const ParzenAxis& axis_;
  std::vector<double> centres_;  ///< [kernel]
  std::vector<double> widths_;   ///< [kernel]; none for choices
  std::vector<double> factors_;  ///< 1 / (2 width^2), for lines
  std::vector<double> log_normalisers_;
  /// Kernels of a grid that are alike share one evaluation.
  std::vector<std::uint32_t> shape_of_;
  std::vector<std::uint32_t> shapes_;  ///< a kernel of each shape
  double same_ = 1, other_ = 0;        ///< probabilities of a choice's kernel
};

/// The mixture. `axes` and `caches` (one per axis) must outlive it.
class ParzenMixture {
 public:
  /// prior_weight: what the prior counts for beside the observations' weights.
  ParzenMixture(const std::vector<ParzenAxis>& axes, const KernelCentres& centres,
                double prior_weight, std::vector<NormaliserCache>& caches);

  const ParzenColumn& column(std::size_t j) const { return columns_[j]; }
  /// A kernel by its weight.
  std::size_t draw_kernel(Stream& stream) const;
  /// Log density (of lines) and probability (of grids and choices) at a point of values' places,
  /// one per axis.
  double log_density(const std::vector<double>& point) const;

 private:
  std::vector<ParzenColumn> columns_;
  std::vector<double> cumulative_;  ///< weights, summed up
  std::vector<double> base_;        ///< log weights and normalisers
  mutable std::vector<double> sums_;
};

}  // namespace betatune
