#include "optimizer/de/dehb.hpp"

#include <algorithm>

#include "optimizer/curves/encoded_trials.hpp"
#include "optimizer/de/population.hpp"
#include "optimizer/evolution/mutation.hpp"
#include "optimizer/searchers/start_up.hpp"

namespace betatune {
namespace {

constexpr int kAttempts = 32;        ///< children that may all be known or infeasible
constexpr double kScale = 0.5;       ///< F of the paper
constexpr double kCrossover = 0.5;   ///< its p
constexpr std::size_t kParents = 3;  ///< that a child has beside its target

/// The loss at a rung. A trainer that ends there need not report at that very step.
std::optional<double> loss_at_rung(const Trial& trial, Step level) {
  const bool ended_there = trial.until == level && trial.last_end == AttemptEnd::reached &&
                           trial.state != TrialState::running;
  return ended_there ? trial.loss : trial.loss_at(level);
}

class DehbSearcher final : public Searcher {
 public:
  DehbSearcher(const StudySpec& spec, DehbPlan plan)
      : plan_(std::move(plan)), start_up_(spec, static_cast<std::int64_t>(plan_.stage(0).trials)) {}

  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override;
  bool asks_ahead() const override { return false; }

 private:
  /// What one call of suggest() looks at.
  struct View {
    const History& history;
    const DehbPopulations& populations;
    const FreshBatch& batch;
  };

  std::optional<Suggestion> propose(const View& view, const DehbWalk& walk, Key key) const;
  /// The best of the rung that the stage has its parents from, then others, then nobody.
  std::vector<TrialId> parents(const View& view, const DehbWalk& walk,
                               std::optional<TrialId> target, Stream& stream) const;
  Eigen::VectorXd point(const View& view, std::optional<TrialId> trial, Stream& stream) const;

  DehbPlan plan_;
  StartUp start_up_;
  // Caches: they hold what a cold start would compute again.
  mutable SeenTrials seen_;
  mutable EncodedTrials encoded_;
};

std::vector<Suggestion> DehbSearcher::suggest(const History& history, int count, Key key) const {
  seen_.sync(history);
  encoded_.expect(history.trials.size());
  FreshBatch batch(history, seen_);
  DehbWalk walk(plan_);
  const DehbPopulations populations = dehb_populations(plan_, history.trials, walk);
  const bool informed = std::ranges::any_of(populations, [](const auto& of_rung) {
    return std::ranges::any_of(of_rung, [](const auto& each) { return each.has_value(); });
  });
  const int design = start_up_.due(history, informed, count);
  std::vector<Suggestion> out;
  if (design > 0) out = start_up_.suggest(history, seen_, batch, design, key);
  if (design == count || std::ssize(out) < design) return out;
  for (std::size_t i = 0; i < history.queued.size() + out.size(); ++i) walk.advance();
  while (std::ssize(out) < count) {
    walk.advance();
    const Key own = fold_in(fold_in(key, "dehb"), out.size());
    std::optional<Suggestion> next = propose({history, populations, batch}, walk, own);
    if (!next) break;
    batch.take(next->configuration);
    out.push_back(std::move(*next));
  }
  return out;
}

std::optional<Suggestion> DehbSearcher::propose(const View& view, const DehbWalk& walk,
                                                Key key) const {
  const SearchSpace& space = view.history.space();
  const std::size_t rung = walk.stage().rung;
  const std::size_t member = walk.member(rung, walk.place());
  const auto& best = view.populations[rung][member];
  const auto target = best ? std::optional(best->trial) : std::nullopt;
  Stream stream(key);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::vector<TrialId> pool = parents(view, walk, target, stream);
    const std::vector<std::size_t> order = stream.permutation(std::max(pool.size(), kParents));
    std::vector<Eigen::VectorXd> chosen;
    for (std::size_t i = 0; i < kParents; ++i) {
      const bool exists = order[i] < pool.size();
      chosen.push_back(point(view, exists ? std::optional(pool[order[i]]) : std::nullopt, stream));
    }
    const Eigen::VectorXd child =
        dehb_child(point(view, target, stream), chosen[0], chosen[1], chosen[2], stream);
    Configuration made = space.decode(child);
    if (!space.satisfies_constraints(made) || !view.batch.is_fresh(made)) continue;
    Json note{{"rung", rung}, {"member", member}};
    if (target) note["parent"] = target->n;
    return Suggestion{std::move(made), kDeOrigin, std::move(note)};
  }
  std::optional<Configuration> drawn = view.batch.draw(key);
  if (!drawn) return std::nullopt;
  return Suggestion{std::move(*drawn), "random", nullptr};
}

std::vector<TrialId> DehbSearcher::parents(const View& view, const DehbWalk& walk,
                                           std::optional<TrialId> target, Stream& stream) const {
  const auto members_of = [&](std::size_t rung) {
    std::vector<RungResult> all;
    for (const auto& each : view.populations[rung]) {
      if (each) all.push_back(*each);
    }
    std::ranges::sort(all);
    return all;
  };
  std::vector<RungResult> elite = members_of(walk.stage().pool_rung);
  elite.resize(std::min(elite.size(), walk.stage().pool));
  std::vector<TrialId> pool;
  const auto add = [&](TrialId trial) {
    if (trial != target && std::ranges::find(pool, trial) == pool.end()) pool.push_back(trial);
  };
  for (const RungResult& each : elite) add(each.trial);
  if (pool.size() >= kParents) return pool;
  std::vector<RungResult> global;
  for (std::size_t rung = 0; rung < plan_.rungs(); ++rung) {
    for (const RungResult& each : members_of(rung)) global.push_back(each);
  }
  for (const std::size_t i : stream.permutation(global.size())) {
    if (pool.size() < kParents) add(global[i].trial);
  }
  return pool;
}

/// A random one for nobody, as the members are at first.
Eigen::VectorXd DehbSearcher::point(const View& view, std::optional<TrialId> trial,
                                    Stream& stream) const {
  const SearchSpace& space = view.history.space();
  if (trial) {
    const auto& known = encoded_.at(space, view.history.trials[*trial]);
    if (known) return fill_inactive(space, *known, stream);
  }
  Eigen::VectorXd out(space.dims());
  for (double& each : out) each = stream.uniform();
  return out;
}

}  // namespace

DehbPopulations dehb_populations(const DehbPlan& plan, const TrialTable& trials, DehbWalk& walk) {
  DehbPopulations out(plan.rungs());
  for (std::size_t rung = 0; rung < plan.rungs(); ++rung) out[rung].resize(plan.population(rung));
  std::vector<std::size_t> went_on(plan.rungs());  // of this stage, to each rung
  for (const Trial& trial : trials) {
    walk.advance();
    if (walk.place() == 0) std::ranges::fill(went_on, 0);
    const DehbStage& stage = walk.stage();
    const std::size_t last = stage.promotes ? plan.rungs() - 1 : stage.rung;
    const bool counts = trial.outcome != Outcome::failed && trial.outcome != Outcome::cancelled;
    for (std::size_t rung = stage.rung; rung <= last && counts; ++rung) {
      const auto loss = loss_at_rung(trial, plan.levels()[rung]);
      if (!loss) break;
      const std::size_t k = rung == stage.rung ? walk.place() : went_on[rung]++;
      auto& member = out[rung][walk.member(rung, k)];
      const RungResult result = RungResult::of(trial.id, loss, trial.violation);
      const auto worth = [](const RungResult& each) {
        return std::pair(each.violation, each.merit);
      };
      if (!member || worth(result) <= worth(*member)) member = result;
    }
  }
  return out;
}

Eigen::VectorXd dehb_child(const Eigen::VectorXd& target, const Eigen::VectorXd& a,
                           const Eigen::VectorXd& b, const Eigen::VectorXd& c, Stream& stream) {
  Eigen::VectorXd child = target;
  const auto sure =
      static_cast<Eigen::Index>(stream.below(static_cast<std::uint64_t>(child.size())));
  for (Eigen::Index i = 0; i < child.size(); ++i) {
    const bool crosses = stream.uniform() < kCrossover;
    const double anywhere = stream.uniform();
    if (!crosses && i != sure) continue;
    const double mutant = a[i] + kScale * (b[i] - c[i]);
    child[i] = mutant < 0 || mutant > 1 ? anywhere : mutant;
  }
  return child;
}

std::unique_ptr<Searcher> make_dehb_searcher(const StudySpec& spec, DehbPlan plan) {
  return std::make_unique<DehbSearcher>(spec, std::move(plan));
}

}  // namespace betatune
