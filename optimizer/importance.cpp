#include "optimizer/importance.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "optimizer/gp/model.hpp"
#include "optimizer/gp/posterior_samples.hpp"
#include "optimizer/numerics/sobol.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kLeastResults = 4;
constexpr Eigen::Index kRows = 500;   ///< results that are looked at, of very many
constexpr Eigen::Index kBases = 192;  ///< places from which one parameter is moved
constexpr std::size_t kValues = 12;   ///< of a number; choices have all of theirs, up to kLevels
constexpr std::size_t kLevels = 24;
constexpr int kFunctions = 32;  ///< drawn from the posterior, for the error bars
constexpr double kLow = 0.05, kHigh = 0.95;
constexpr std::uint64_t kSeed = 20'141;

/// Points of the whole cube (a value for every column, active or not) that are feasible.
RowMatrix feasible_bases(const SearchSpace& space) {
  const Key key = fold_in(root_key(kSeed), "bases");
  const Sobol sobol(space.dims(), key);
  RowMatrix out(kBases, space.dims());
  Eigen::Index found = 0;
  for (std::uint64_t i = 0; found < kBases && i < 20 * kBases; ++i) {
    const Eigen::VectorXd point = sobol.point(i);
    if (space.feasible(space.canonical(point))) out.row(found++) = point.transpose();
  }
  Stream fill(fold_in(key, "fill"));
  for (; found < kBases; ++found) {  // constraints leave little
    out.row(found) =
        space.sample_point(fold_in(key, static_cast<std::uint64_t>(found))).transpose();
    for (double& each : out.row(found)) each = is_inactive(each) ? fill.uniform() : each;
  }
  return out;
}

/// Evenly spread, each as probable as any other.
std::vector<double> values_of(const SearchSpace& space, std::size_t column) {
  const std::size_t levels = space.columns()[column].levels;
  std::vector<double> out;
  if (levels == 0 || levels > kLevels) {
    for (std::size_t k = 0; k < kValues; ++k) {
      out.push_back((static_cast<double>(k) + 0.5) / static_cast<double>(kValues));
    }
  } else {
    for (std::size_t k = 0; k < levels; ++k) out.push_back(space.level(column, k));
  }
  return out;
}

/// One parameter moved through its values from every base where it is active.
struct Sweep {
  RowMatrix points;
  std::vector<std::pair<std::size_t, std::size_t>> cells;  ///< base and value of each point
  std::size_t bases = 0, values = 0;
  double active = 0;
};

Sweep sweep(const SearchSpace& space, std::size_t column, const RowMatrix& bases) {
  const std::vector<double> values = values_of(space, column);
  Sweep out;
  out.bases = static_cast<std::size_t>(bases.rows());
  out.values = values.size();
  std::vector<Eigen::VectorXd> points;
  std::size_t bases_active = 0;
  for (std::size_t n = 0; n < out.bases; ++n) {
    bool active = false;
    for (std::size_t k = 0; k < values.size(); ++k) {
      Eigen::VectorXd moved = bases.row(static_cast<Eigen::Index>(n)).transpose();
      moved[static_cast<Eigen::Index>(column)] = values[k];
      Eigen::VectorXd point = space.canonical(moved);
      if (is_inactive(point[static_cast<Eigen::Index>(column)])) continue;
      active = true;
      if (!space.feasible(point)) continue;
      points.push_back(std::move(point));
      out.cells.emplace_back(n, k);
    }
    if (active) ++bases_active;
  }
  out.active = static_cast<double>(bases_active) / static_cast<double>(out.bases);
  out.points.resize(std::ssize(points), space.dims());
  for (Eigen::Index i = 0; i < out.points.rows(); ++i) {
    out.points.row(i) = points[static_cast<std::size_t>(i)].transpose();
  }
  return out;
}

/// Mean and variance of groups of numbers.
class Groups {
 public:
  explicit Groups(std::size_t count) : sums_(count), squares_(count), counts_(count) {}
  void add(std::size_t group, double value) {
    sums_[group] += value;
    squares_[group] += value * value;
    ++counts_[group];
  }
  /// Of the groups' means, each weighted by its numbers.
  double between() const {
    double n = 0, sum = 0, square = 0;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      if (counts_[i] == 0) continue;
      n += counts_[i];
      sum += sums_[i];
      square += sums_[i] * sums_[i] / counts_[i];
    }
    return n == 0 ? 0 : std::max(0.0, square / n - (sum / n) * (sum / n));
  }
  /// Mean variance inside of the groups.
  double within() const {
    double n = 0, all = 0;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      if (counts_[i] == 0) continue;
      n += counts_[i];
      all += squares_[i] - sums_[i] * sums_[i] / counts_[i];
    }
    return n == 0 ? 0 : std::max(0.0, all / n);
  }

 private:
  std::vector<double> sums_, squares_, counts_;
};

struct Effects {
  double main = 0, total = 0;
};

/// Shares of the variance of one function over a sweep.
Effects effects_of(const Sweep& sweep, const Eigen::Ref<const Eigen::VectorXd>& function) {
  Groups by_value(sweep.values), by_base(sweep.bases), all(1);
  const double centre = function.size() == 0 ? 0 : function.mean();
  for (Eigen::Index i = 0; i < function.size(); ++i) {
    const auto [base, value] = sweep.cells[static_cast<std::size_t>(i)];
    by_value.add(value, function[i] - centre);
    by_base.add(base, function[i] - centre);
    all.add(0, function[i] - centre);
  }
  constexpr double kNothing = 1e-14;
  const double variance = all.within();
  if (variance < kNothing) return {};
  const double total = by_base.within();
  // Interactions do not average out completely over so many bases.
  const double excess = std::max(0.0, total - by_value.between()) /
                        static_cast<double>(std::max<std::size_t>(sweep.bases, 1));
  const double main = std::max(0.0, by_value.between() - excess);
  return {std::min(1.0, main / variance), std::min(1.0, total / variance)};
}

Share share_of(std::vector<double> draws, double value) {
  std::sort(draws.begin(), draws.end());
  const auto at = [&](double share) {
    return draws[static_cast<std::size_t>(share * static_cast<double>(draws.size() - 1) + 0.5)];
  };
  return {value, std::min(value, at(kLow)), std::max(value, at(kHigh))};
}

ParameterImportance measure(const SearchSpace& space, std::size_t column, const RowMatrix& bases,
                            const PosteriorSamples& functions) {
  const Sweep moved = sweep(space, column, bases);
  ParameterImportance out;
  out.name = space.parameters()[space.columns()[column].parameter].name;
  out.active = moved.active;
  const RowMatrix values = functions.at(moved.points);
  std::vector<double> main, total;
  for (Eigen::Index s = 1; s < values.cols(); ++s) {
    const Effects effects = effects_of(moved, values.col(s));
    main.push_back(effects.main);
    total.push_back(effects.total);
  }
  const Effects mean = effects_of(moved, values.col(0));
  out.main = share_of(std::move(main), mean.main);
  out.total = share_of(std::move(total), mean.total);
  return out;
}

}  // namespace

Result<Importance> importance(const History& history) {
  const SearchSpace& space = history.space();
  if (space.dims() == 0) {
    return Error{ErrorKind::invalid_argument, "no parameter of this study is searched"};
  }
  ObservationCollector collector;
  const Observations data = collector.collect(history);
  if (data.finite < kLeastResults) {
    return Error{ErrorKind::invalid_argument,
                 fmt::format("importance needs at least {} finished trials with a result; there "
                             "are {}",
                             kLeastResults, data.finite)};
  }
  const Samples results = data.results();
  GpModel model(space.columns());
  const Hyperparameters at = model.condition(results, data.pending.rows()).hyperparameters();
  const Eigen::VectorXd outputs = transform_outputs(results.values, model.bend()).y;
  const std::vector<Eigen::Index> rows = choose_rows(results.values, kRows);
  RowMatrix points(std::ssize(rows), space.dims());
  Eigen::VectorXd y(points.rows());
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    points.row(i) = results.points.row(rows[static_cast<std::size_t>(i)]);
    y[i] = outputs[rows[static_cast<std::size_t>(i)]];
  }
  PosteriorSamples functions(model.map(), space.columns(), at, points, y);
  functions.draw(kFunctions, fold_in(root_key(kSeed), "functions"));

  Importance out{results.size(), at.noise, {}};
  const RowMatrix bases = feasible_bases(space);
  for (std::size_t j = 0; j < space.columns().size(); ++j) {
    out.parameters.push_back(measure(space, j, bases, functions));
    out.parameters.back().inverse_lengthscale = 1 / at.lengthscales[static_cast<Eigen::Index>(j)];
  }
  std::stable_sort(out.parameters.begin(), out.parameters.end(),
                   [](const auto& a, const auto& b) { return a.total.value > b.total.value; });
  return out;
}

}  // namespace betatune
