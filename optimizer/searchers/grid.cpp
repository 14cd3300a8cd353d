/// `grid`: every combination, in order; the study ends when all are tried.

#include <algorithm>
#include <cmath>

#include "optimizer/searcher.hpp"
#include "optimizer/searchers/seen.hpp"

namespace betatune {
namespace {

/// Largest grid: its indices stay exact, and nobody waits for the end of it.
constexpr double kLargestGrid = 1e15;

struct GridOptions {
  std::int64_t points = 5;
  std::map<std::string, std::int64_t> points_of;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("points", &GridOptions::points,
                  "Values of each numeric parameter, evenly spread on its scale, ends included. "
                  "Integers with fewer values, ordinals and categoricals use all of theirs."),
        defaulted("points_of", &GridOptions::points_of,
                  "The same for single parameters, by name.")};
  }
};

/// The coordinates that one column takes.
std::vector<double> axis_of(const SearchSpace& space, std::size_t column, std::int64_t points) {
  const Column& it = space.columns()[column];
  const bool few = it.levels > 0 && it.levels <= static_cast<std::size_t>(points);
  const bool words = it.kind == Column::Kind::ordinal || it.kind == Column::Kind::categorical;
  std::vector<double> axis;
  if (few || words) {
    for (std::size_t k = 0; k < it.levels; ++k) axis.push_back(space.level(column, k));
    return axis;
  }
  for (std::int64_t k = 0; k < points; ++k) {
    const double u = points == 1 ? 0.5 : static_cast<double>(k) / static_cast<double>(points - 1);
    const double snapped = space.snap(column, u);
    if (axis.empty() || snapped != axis.back()) axis.push_back(snapped);
  }
  return axis;
}

class GridSearcher : public Searcher {
 public:
  explicit GridSearcher(std::vector<std::vector<double>> axes) : axes_(std::move(axes)) {
    for (const auto& axis : axes_) size_ *= axis.size();
  }

  std::vector<Suggestion> suggest(const History& history, int count, Key) const override {
    seen_.sync(history);
    FreshBatch batch(history, seen_);
    std::vector<Suggestion> out;
    // Each trial of the grid has used up at least one index, so none below that can be new.
    for (std::uint64_t i = seen_.count_of("grid"); i < size_ && std::ssize(out) < count; ++i) {
      Configuration point = history.space().decode(point_at(i));
      if (history.space().satisfies_constraints(point) && batch.take(point)) {
        out.push_back({std::move(point), "grid", nullptr});
      }
    }
    return out;
  }

 private:
  /// The last parameter runs fastest.
  Eigen::VectorXd point_at(std::uint64_t index) const {
    Eigen::VectorXd point(std::ssize(axes_));
    for (std::size_t j = axes_.size(); j-- > 0;) {
      point[static_cast<Eigen::Index>(j)] = axes_[j][index % axes_[j].size()];
      index /= axes_[j].size();
    }
    return point;
  }

  std::vector<std::vector<double>> axes_;
  std::uint64_t size_ = 1;
  mutable SeenTrials seen_;  // a cache
};

/// Points per column, or an empty list if the options are wrong.
std::vector<std::int64_t> points_per_column(const SearchSpace& space, const GridOptions& options,
                                            const Mark& mark, Diagnostics& problems) {
  const auto too_few = [&](const std::string& path) {
    problems.error("E0405", "`" + path + "` must be at least 1", mark);
  };
  const std::size_t before = problems.problems().size();
  if (options.points < 1) too_few("algorithm.points");
  std::vector<std::int64_t> points(space.columns().size(), options.points);
  for (const auto& [name, of] : options.points_of) {
    if (of < 1) too_few("algorithm.points_of." + name);
    std::vector<std::string> names;
    bool found = false;
    for (std::size_t j = 0; j < points.size(); ++j) {
      names.push_back(space.parameters()[space.columns()[j].parameter].name);
      if (names.back() != name) continue;
      points[j] = of;
      found = true;
    }
    if (found) continue;
    const std::string near = closest(name, names);
    problems.error("E0406", "algorithm.points_of: there is no searched parameter `" + name + "`",
                   mark, near.empty() ? "" : "did you mean `" + near + "`?");
  }
  return problems.problems().size() == before ? points : std::vector<std::int64_t>();
}

std::unique_ptr<Searcher> make(const PolicyContext& context, const GridOptions& options,
                               const ConfigNode& node, Diagnostics& problems) {
  const SearchSpace& space = context.spec.space;
  for (const Column& column : space.columns()) {
    if (!column.prior) continue;
    problems.error("E0409",
                   "`grid` tries everything in order: the prior of `" +
                       space.parameters()[column.parameter].name + "` would change nothing",
                   node.mark(), "remove the prior, or use `name: auto`");
    return nullptr;
  }
  const auto points = points_per_column(space, options, node.mark(), problems);
  if (points.size() != space.columns().size()) return nullptr;
  std::vector<std::vector<double>> axes;
  double size = 1;
  for (std::size_t j = 0; j < points.size(); ++j) {
    axes.push_back(axis_of(space, j, points[j]));
    size *= static_cast<double>(axes.back().size());
  }
  if (size > kLargestGrid) {
    problems.error("E0407", "the grid has more than 1e15 points", node.mark(),
                   "lower `points`, or use `name: sobol`");
    return nullptr;
  }
  return std::make_unique<GridSearcher>(std::move(axes));
}

const bool registered = SearcherRegistry::add<GridOptions>(
    "grid", "Every combination, in order, until all are tried.", make);

}  // namespace
}  // namespace betatune
