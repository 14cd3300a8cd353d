#include "optimizer/tpe/model.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace betatune {
namespace {

/// Good results beyond it say no more about where the best one is.
constexpr std::size_t kMostBetter = 25;

}  // namespace

std::vector<std::vector<std::size_t>> column_groups(const SearchSpace& space, bool multivariate,
                                                    bool grouped) {
  std::vector<std::size_t> columns(space.columns().size());
  std::iota(columns.begin(), columns.end(), 0);
  const auto parameter = [&](std::size_t column) -> const Parameter& {
    return space.parameters()[space.columns()[column].parameter];
  };
  std::sort(columns.begin(), columns.end(),
            [&](std::size_t a, std::size_t b) { return parameter(a).name < parameter(b).name; });
  std::map<std::string, std::vector<std::size_t>> together;
  for (const std::size_t column : columns) {
    const Parameter& it = parameter(column);
    const bool alone = !multivariate || (it.when && !grouped);
    // A condition and a name may be spelt alike: a mark before each tells them apart.
    std::string key = alone ? "= " + it.name : it.when ? "? " + it.when->text() : "";
    together[std::move(key)].push_back(column);
  }
  std::vector<std::vector<std::size_t>> out;
  for (auto& [key, group] : together) out.push_back(std::move(group));
  return out;
}

TpeModel::TpeModel(const SearchSpace& space, TpeModelOptions options)
    : options_(options), dims_(space.dims()) {
  for (const auto& columns : column_groups(space, options.multivariate, options.grouped)) {
    Group& group = groups_.emplace_back();
    for (const std::size_t column : columns) group.axes.emplace_back(space, column);
    group.better_cache.resize(columns.size());
    group.worse_cache.resize(columns.size());
  }
}

void TpeModel::add(const Group& group, const Eigen::Ref<const Eigen::RowVectorXd>& point,
                   double weight, std::size_t trial, KernelCentres& to) {
  const auto place = [&](const ParzenAxis& axis) {
    return point[static_cast<Eigen::Index>(axis.column())];
  };
  for (const ParzenAxis& axis : group.axes) {
    if (is_inactive(place(axis))) return;
  }
  for (std::size_t j = 0; j < group.axes.size(); ++j) {
    to.columns[j].push_back(place(group.axes[j]));
  }
  to.weights.push_back(weight);
  to.trials.push_back(trial);
}

void TpeModel::begin(const Observations& data) {
  const Split parts = split(data, options_.gamma, kMostBetter);
  for (Group& group : groups_) {
    group.better = group.worse = KernelCentres();
    group.better.columns.resize(group.axes.size());
    group.worse.columns.resize(group.axes.size());
    for (const Split::Better& each : parts.better) {
      add(group, data.points.row(each.row), each.weight,
          data.trials[static_cast<std::size_t>(each.row)], group.better);
    }
    for (const Eigen::Index row : parts.worse) {
      add(group, data.points.row(row), 1, data.trials[static_cast<std::size_t>(row)], group.worse);
    }
    for (Eigen::Index i = 0; i < data.pending.rows(); ++i) {
      add(group, data.pending.row(i), 1, KernelCentres::kNoTrial, group.worse);
    }
    const auto n = static_cast<double>(group.better.size());
    double sum = 0;
    for (const double weight : group.better.weights) sum += weight;
    group.prior_weight = options_.prior_weight * (n > 0 ? sum / n : 1);
  }
}

void TpeModel::pend(const Eigen::VectorXd& point) {
  for (Group& group : groups_) {
    add(group, point.transpose(), 1, KernelCentres::kNoTrial, group.worse);
  }
}

void TpeModel::propose_for(Group& group, Key key, std::vector<Candidate>& out) const {
  const ParzenMixture better(group.axes, group.better, group.prior_weight, group.better_cache);
  const ParzenMixture worse(group.axes, group.worse, options_.prior_weight, group.worse_cache);
  const std::size_t width = group.axes.size();
  std::vector<Stream> streams;
  for (const ParzenAxis& axis : group.axes) streams.emplace_back(fold_in(key, axis.name()));
  Stream kernels(fold_in(fold_in(key, "kernel"), group.axes.front().name()));
  std::vector<std::pair<double, std::vector<double>>> drawn;
  for (std::size_t c = 0; c < out.size(); ++c) {
    const std::size_t kernel = better.draw_kernel(kernels);
    std::vector<double> point(width);
    for (std::size_t j = 0; j < width; ++j) point[j] = better.column(j).draw(kernel, streams[j]);
    drawn.emplace_back(better.log_density(point) - worse.log_density(point), std::move(point));
  }
  std::stable_sort(drawn.begin(), drawn.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t c = 0; c < out.size(); ++c) {
    out[c].log_ratio += drawn[c].first;
    for (std::size_t j = 0; j < width; ++j) {
      out[c].point[static_cast<Eigen::Index>(group.axes[j].column())] = drawn[c].second[j];
    }
  }
}

std::vector<TpeModel::Candidate> TpeModel::propose(Key key) {
  std::vector<Candidate> out(static_cast<std::size_t>(options_.candidates),
                             {Eigen::VectorXd(dims_), 0});
  for (Group& group : groups_) propose_for(group, key, out);
  return out;
}

}  // namespace betatune
