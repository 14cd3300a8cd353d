#include "optimizer/searchers/design.hpp"

#include "optimizer/numerics/sobol.hpp"

namespace betatune {
namespace {

/// Points of the sequence that may fail in a row (seen, constraints) before draws take over.
constexpr std::uint64_t kMisses = 2'000;

}  // namespace

Key study_key(const StudySpec& spec) {
  if (spec.study.seed) return fold_in(root_key(*spec.study.seed), "study");
  return fold_in(fold_in(root_key(0), "study"), spec.study.name);
}

std::optional<Suggestion> suggest_centre(const History& history, FreshBatch& batch, Key key) {
  const SearchSpace& space = history.space();
  Stream stream(key);
  Eigen::VectorXd point(space.dims());
  for (std::size_t j = 0; j < space.columns().size(); ++j) {
    const bool choice = space.columns()[j].kind == Column::Kind::categorical;
    point[static_cast<Eigen::Index>(j)] = choice ? stream.uniform() : 0.5;
  }
  Configuration centre = space.decode(point);
  if (!space.satisfies_constraints(centre) || !batch.take(centre)) return std::nullopt;
  return Suggestion{std::move(centre), "centre", nullptr};
}

std::vector<Suggestion> suggest_sobol(const History& history, const SeenTrials& seen,
                                      FreshBatch& batch, int count, Key key) {
  const SearchSpace& space = history.space();
  const Sobol sobol(space.dims(), fold_in(study_key(*history.spec), "sobol"));
  std::vector<Suggestion> out;
  std::uint64_t index = seen.count_of("sobol");
  const std::uint64_t first = index;
  for (std::uint64_t misses = 0; std::ssize(out) < count && misses < kMisses + first; ++index) {
    Configuration point = space.decode(sobol.point(index));
    if (space.satisfies_constraints(point) && batch.take(point)) {
      out.push_back({std::move(point), "sobol", nullptr});
      misses = 0;
    } else {
      ++misses;
    }
  }
  while (std::ssize(out) < count) {
    std::optional<Configuration> drawn = batch.draw(fold_in(key, out.size()));
    if (!drawn) break;
    batch.take(*drawn);
    out.push_back({std::move(*drawn), "random", nullptr});
  }
  return out;
}

}  // namespace betatune
