#include "optimizer/simulation/study.hpp"

namespace betatune::simulation {
namespace {

/// Another searcher that must be asked when a slot is free, as a model is.
class OnDemand : public Searcher {
 public:
  explicit OnDemand(std::unique_ptr<Searcher> inner) : inner_(std::move(inner)) {}
  std::vector<Suggestion> suggest(const History& history, int count, Key key) const override {
    return inner_->suggest(history, count, key);
  }
  bool asks_ahead() const override { return false; }

 private:
  std::unique_ptr<Searcher> inner_;
};

SearchSpace space_of(bool small) {
  std::vector<Parameter> parameters;
  if (!small) parameters.push_back({"x", Real{0, 1, Scale::linear, {}}, {}, {}});
  const std::int64_t most = small ? 6 : 64;
  parameters.push_back({"units", Integer{1, most, Scale::linear, 1}, {}, {}});
  parameters.push_back(
      {"kind", Categorical{{Value(std::string("a")), Value(std::string("b"))}}, {}, {}});
  auto space = SearchSpace::make(std::move(parameters));
  BETATUNE_ASSERT(space);
  return std::move(space).value();
}

/// Some studies that may have a second objective get one. All targets would have to be reached by
/// one trial, which is no question for a simulation.
void draw_objectives(Stream& random, StudySpec& spec) {
  spec.objectives = {spec.objective};
  if (spec.noise.trains_again() || random.below(3) != 0) return;
  StudySpec two = spec;
  two.objective.target.reset();
  two.objectives = {two.objective, {"cost", Goal::minimize, {}, {}}};
  Diagnostics refused;
  if (make_scheduler(two, refused) == nullptr) return;
  for (const ObjectiveSpec& each : two.objectives) {
    two.document["objectives"].push_back({{"metric", each.metric}, {"goal", to_name(each.goal)}});
  }
  spec = std::move(two);
}

/// Some studies whose scheduler has rungs let the ranks of their trials change. Drawn apart, so
/// that the others stay what they were.
void draw_widths(const SimulationOptions& options, StudySpec& spec) {
  Stream random(fold_in(root_key(options.seed), "widths"));
  if (random.below(3) != 0) return;
  StudySpec wide = spec;
  wide.resources.widths = WidthsSpec{};
  wide.resources.widths->choices = random.below(2) == 0 ? std::vector{1, 2} : std::vector{1, 2, 3};
  wide.resources.ranks = wide.resources.widths->widest();
  Diagnostics refused;
  if (make_scheduler(wide, refused) != nullptr) spec = std::move(wide);
}

/// It needs checkpoints, and takes any parameter that the space has.
void draw_population(Stream& random, std::uint64_t seed, StudySpec& spec) {
  spec.fidelity->resumable = true;
  // Under a key of its own, so that the other draws of a seed stay what they were.
  const bool by_model = Stream(fold_in(root_key(seed), "explore")).below(2) == 1;
  const Json options{{"population", 2 + random.below(6)},
                     {"quantile", 0.5},
                     {"interval", 1 + random.below(3)},
                     {"mutate", {"units", "kind"}},
                     {"explore", by_model ? "pb2" : "perturb"}};
  spec.algorithm.scheduler.options = ConfigNode::from_json(options, "simulated");
}

/// For many trainers: as drawn, but with work for all of them.
void make_large(const SimulationOptions& options, StudySpec& spec) {
  spec.space = space_of(/*small=*/false);
  spec.stopping.trials = 2 * static_cast<std::int64_t>(options.trainers);
  spec.trials.parallel.reset();
  spec.trials.max_failed.reset();
  spec.objective.target.reset();
  spec.objectives.front().target.reset();
  spec.document["stopping"]["trials"] = *spec.stopping.trials;
}

/// `dehb` has a searcher made for it, and any other one too.
void draw_searcher(Stream& random, std::uint64_t seed, StudySpec& spec) {
  spec.algorithm.searcher.name = random.below(2) == 0 ? "random" : "sobol";
  if (spec.algorithm.scheduler.name != "dehb") return;
  if (Stream(fold_in(root_key(seed), "offspring")).below(2) == 1) {
    spec.algorithm.searcher.name = "de";
  }
}

/// What a step costs, by the clock of the simulation or not at all; with decisions of the ladder in
/// between, or all by the model as soon as it knows enough.
void draw_prices(std::uint64_t seed, StudySpec& spec) {
  Stream random(fold_in(root_key(seed), "prices"));
  const Json options{{"price", random.below(2) == 0 ? "steps" : "seconds"},
                     {"ladder", random.below(2) == 0 ? 0.25 : 0.0}};
  spec.algorithm.scheduler.options = ConfigNode::from_json(options, "simulated");
}

}  // namespace

StudySpec draw_study(Stream& random, const SimulationOptions& options) {
  StudySpec spec;
  spec.study.name = "simulated";
  spec.study.seed = options.seed;
  // One run in eight is a space of few configurations, that may be exhausted.
  spec.space = space_of(random.below(8) == 0);
  spec.objective.metric = "value";
  spec.objective.goal = random.below(2) == 0 ? Goal::minimize : Goal::maximize;
  if (random.below(8) == 0) {
    spec.objective.target = spec.objective.goal == Goal::minimize ? 0.55 : -0.55;
  }
  const bool steps = random.below(4) != 0;
  if (steps) {
    constexpr Step kSteps[] = {4, 9, 20};
    const Step max = kSteps[random.below(3)];
    spec.fidelity = FidelitySpec{"epoch", 1, max, random.below(4) != 0};
  }
  constexpr const char* kSchedulers[] = {
      "fifo",  "asha", "hyperband",  "successive-halving", "median-stopping",
      "pasha", "pbt",  "hyper-tune", "freeze-thaw",        "dehb"};
  // Models of thousands of trials would take minutes: many trainers are for the first seven.
  const std::uint64_t schedulers = options.trainers > 0 ? 7 : std::size(kSchedulers);
  spec.algorithm.scheduler.name = steps ? kSchedulers[random.below(schedulers)] : "fifo";
  if (options.scheduler && (steps || *options.scheduler == "fifo")) {
    spec.algorithm.scheduler.name = *options.scheduler;
  }
  if (spec.algorithm.scheduler.name == "pbt") {
    draw_population(random, options.seed, spec);
  }
  if (spec.algorithm.scheduler.name == "freeze-thaw") draw_prices(options.seed, spec);
  draw_searcher(random, options.seed, spec);
  spec.stopping.trials = 1 + static_cast<std::int64_t>(random.below(30));
  if (random.below(4) == 0) spec.trials.parallel = 1 + static_cast<int>(random.below(3));
  if (random.below(8) == 0) spec.trials.max_failed = 2;
  if (random.below(4) == 0) spec.trials.retry.user = 1;
  spec.server.lease = Duration{10};
  if (spec.algorithm.scheduler.name == "fifo") {
    if (random.below(3) == 0) spec.noise.repeats = 2 + static_cast<int>(random.below(2));
    if (random.below(4) == 0) spec.noise.confirm_best = ConfirmSpec{2, 2};
  }
  spec.document = Json{{"stopping", {{"trials", *spec.stopping.trials}}}};
  if (spec.fidelity) spec.document["fidelity"] = Json{{"max", spec.fidelity->max}};
  draw_objectives(random, spec);
  draw_widths(options, spec);
  if (options.trainers > 0) make_large(options, spec);
  return spec;
}

Policies make_policies(const StudySpec& spec, bool on_demand) {
  Diagnostics diagnostics;
  std::unique_ptr<Searcher> searcher = make_searcher(spec, diagnostics);
  Policies policies;
  policies.scheduler = make_scheduler(spec, diagnostics);
  BETATUNE_ASSERT(diagnostics.ok());
  if (on_demand) searcher = std::make_unique<OnDemand>(std::move(searcher));
  policies.searcher = std::move(searcher);
  return policies;
}

}  // namespace betatune::simulation
