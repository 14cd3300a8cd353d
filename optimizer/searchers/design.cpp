#include "optimizer/searchers/design.hpp"

#include <utility>

#include "optimizer/numerics/sobol.hpp"
#include "optimizer/searchers/search_prior.hpp"

namespace betatune {
namespace {

/// Points of the sequence that may fail in a row (seen, constraints) before draws take over.
constexpr std::uint64_t kMisses = 2'000;
/// Draws from the beliefs that may all be seen or infeasible before an even draw takes over.
constexpr int kDraws = 64;

/// Every second point is drawn from what is believed, the others evenly.
bool follows_belief(std::uint64_t index) {
  return index % 2 == 1;
}
Json note_of(bool believed) {
  return believed ? Json{{"prior", true}} : Json();
}

std::optional<Configuration> draw_believed(const SearchSpace& space, const SearchPrior& prior,
                                           const FreshBatch& batch, Key key) {
  Stream stream(fold_in(key, "prior"));
  for (int i = 0; i < kDraws; ++i) {
    Eigen::VectorXd point(space.dims());
    for (double& each : point) each = stream.uniform();
    Configuration drawn = space.decode(prior.shape(std::move(point)));
    if (space.satisfies_constraints(drawn) && batch.is_fresh(drawn)) return drawn;
  }
  return std::nullopt;
}

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
  if (const auto prior = SearchPrior::of(space)) point = prior->center(std::move(point));
  Configuration centre = space.decode(point);
  if (!space.satisfies_constraints(centre) || !batch.take(centre)) return std::nullopt;
  return Suggestion{std::move(centre), "centre", nullptr};
}

std::vector<Suggestion> suggest_sobol(const History& history, const SeenTrials& seen,
                                      FreshBatch& batch, int count, Key key) {
  const SearchSpace& space = history.space();
  const Sobol sobol(space.dims(), fold_in(study_key(*history.spec), "sobol"));
  const auto prior = SearchPrior::of(space);
  std::vector<Suggestion> out;
  std::uint64_t index = seen.count_of("sobol");
  const std::uint64_t first = index;
  for (std::uint64_t misses = 0; std::ssize(out) < count && misses < kMisses + first; ++index) {
    const bool believed = prior && follows_belief(index);
    Eigen::VectorXd at = sobol.point(index);
    if (believed) at = prior->shape(std::move(at));
    Configuration point = space.decode(at);
    if (space.satisfies_constraints(point) && batch.take(point)) {
      out.push_back({std::move(point), "sobol", note_of(believed)});
      misses = 0;
    } else {
      ++misses;
    }
  }
  const int rest = count - static_cast<int>(out.size());
  for (Suggestion& each : suggest_random(history, batch, rest, key)) out.push_back(std::move(each));
  return out;
}

std::vector<Suggestion> suggest_random(const History& history, FreshBatch& batch, int count,
                                       Key key) {
  const SearchSpace& space = history.space();
  const auto prior = SearchPrior::of(space);
  const std::uint64_t first = history.trials.configurations() + history.queued.size();
  std::vector<Suggestion> out;
  for (std::uint64_t i = 0; std::ssize(out) < count; ++i) {
    const Key own = fold_in(key, i);
    std::optional<Configuration> drawn;
    const bool believed = prior && follows_belief(first + i);
    if (believed) drawn = draw_believed(space, *prior, batch, own);
    const Json note = note_of(drawn.has_value());
    if (!drawn) drawn = batch.draw(own);
    if (!drawn) break;
    batch.take(*drawn);
    out.push_back({std::move(*drawn), "random", note});
  }
  return out;
}

}  // namespace betatune
