/// Population-based training (PBT, Jaderberg et al. 2017, arXiv:1711.09846): a population of
/// trainings, whose worst members go on from a copy of one of the best, with other
/// hyper-parameters. What comes out is a schedule of hyper-parameters beside the model.
///
/// A member pauses at every multiple of `interval`. When a slot is free for it, it is compared with
/// all that have a result at that step, and goes on, or is replaced: its trial ends, and a new one
/// begins from the newest checkpoint at which a good one paused. Nobody waits for others; of the
/// paused members the one that is furthest behind goes on first, so that few slots train the
/// population evenly, and compare whole populations. A configuration never changes while its trial
/// lives, so the log holds every schedule as a path from trial to parent.
///
/// What somebody enqueued takes the next place that is given away: as a copy where one of the best
/// can go on with it, else from nothing; and a slot that nobody in the population has a use for.
///
/// What the other hyper-parameters are: near to the parent's at random, or proposed by a model of
/// what training gains (PB2, Parker-Holder et al. 2020, arXiv:2002.02518; optimizer/pbt/).

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "optimizer/pbt/pb2.hpp"
#include "optimizer/schedulers/exploration.hpp"
#include "optimizer/schedulers/options.hpp"
#include "optimizer/schedulers/population.hpp"

namespace betatune {
namespace {

/// Of the training, where no interval is given.
constexpr Step kIntervals = 10;

enum class Explore { perturb, pb2 };
constexpr auto enum_names(Explore) {
  using enum Explore;
  return std::array{EnumName<Explore>{perturb, "perturb"}, EnumName<Explore>{pb2, "pb2"}};
}

struct PbtOptions {
  int population = 8;
  std::optional<Step> interval;
  double quantile = 0.25;
  double resample = 0.25;
  std::optional<std::vector<std::string>> mutate;
  Explore explore = Explore::perturb;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("population", &PbtOptions::population, "Trials that train at the same time."),
        Field{"interval", &PbtOptions::interval,
              "Steps between two comparisons; default a tenth of fidelity.max, fidelity.min at "
              "least."},
        defaulted("quantile", &PbtOptions::quantile,
                  "Share of the population that is replaced by copies of the best, and that is "
                  "copied."),
        defaulted("resample", &PbtOptions::resample,
                  "Chance of each parameter of a copy to be drawn anew, instead of moved."),
        Field{"mutate", &PbtOptions::mutate,
              "Parameters that copies change; default every float, because others mostly shape "
              "the model, whose checkpoint would not load."},
        defaulted("explore", &PbtOptions::explore,
                  "perturb: copies change at random. pb2: a Gaussian process of what training "
                  "gained says which numbers copies take (population-based bandits); for small "
                  "populations.")};
  }
};

class Pbt final : public Scheduler {
 public:
  Pbt(const StudySpec& spec, const PbtOptions& options, Step interval)
      : options_(options),
        interval_(interval),
        full_budget_(spec.full_budget()),
        population_(static_cast<std::size_t>(options.population)),
        exploration_(spec.space, *options.mutate, options.resample) {
    if (options.explore == Explore::pb2) {
      pb2_.emplace(spec.space,
                   Pb2::Options{*options.mutate, options.resample, interval, options.population});
    }
  }

  void observe(const StudyState& state, const Event& event) override {
    population_.observe(state, event);
    if (pb2_) pb2_->observe(state, event);
  }
  std::optional<Assignment> next(const StudyState& state, bool may_start) const override {
    return next_of(state, may_start, may_start);
  }
  std::optional<Assignment> next_unsearched(const StudyState& state) const override {
    return next_of(state, false, true);
  }
  Step first_goal(const StudyState&, const Trial& trial) const override {
    return goal_after(trial.parent ? trial.parent->step : 0);
  }
  Verdict judge(const StudyState&, const Trial&, const Observation&) const override { return {}; }
  bool completes(const StudyState&, const Trial& trial) const override {
    return trial.until >= full_budget_;
  }
  bool copies() const override { return true; }
  RungPlan rungs() const override;
  std::optional<RungStanding> standing(TrialId trial) const override;

 private:
  /// Nothing is copied where no trial may begin; without a searcher's help only copies may.
  std::optional<Assignment> next_of(const StudyState& state, bool may_start, bool may_copy) const;
  std::optional<Assignment> successor(const StudyState& state, TrialId replaced, Step at) const;
  Exploit copy(const StudyState& state, const Parent& parent, Step at, Key key) const;
  void explore(const StudyState& state, Key key, Exploit& made) const;
  StartNew from_nothing(const StudyState& state, TrialId replaced) const;
  std::vector<TrialId> parents(const StudyState& state, TrialId replaced, Step at) const;
  bool is_replaced(TrialId member, Step at) const;
  Step goal_after(Step step) const {
    return std::min(full_budget_, (step / interval_ + 1) * interval_);
  }
  /// How many of so many results are replaced.
  std::size_t quota(std::size_t results) const {
    // 1e-9: a share of a whole number may fall just short of one.
    return static_cast<std::size_t>(
        std::floor(options_.quantile * static_cast<double>(results) + 1e-9));
  }

  PbtOptions options_;
  Step interval_;
  Step full_budget_;
  Population population_;
  Exploration exploration_;
  std::optional<Pb2> pb2_;  ///< explores instead, if it is there
};

std::optional<Assignment> Pbt::next_of(const StudyState& state, bool may_start,
                                       bool may_copy) const {
  if (may_start && population_.has_room()) return StartNew{goal_after(0)};
  for (const Population::Vacancy& each : population_.vacancies()) {
    if (!may_copy) break;
    if (auto made = successor(state, each.of, std::max(each.at, goal_after(0)))) return made;
  }
  if (may_start && !population_.vacancies().empty()) return StartNew{goal_after(0)};
  std::optional<std::pair<Step, TrialId>> last;
  for (const auto& [member, at] : population_.members()) {
    const bool waits = state.trials[member].state == TrialState::paused;
    if (!waits || !population_.has_result(member, at)) continue;
    if (!last || std::pair(at, member) < *last) last = std::pair(at, member);
  }
  const bool asked_for = may_start && !state.enqueued.empty();
  if (!last) return asked_for ? std::optional<Assignment>(StartNew{goal_after(0)}) : std::nullopt;
  const auto [at, member] = *last;
  if (may_copy && is_replaced(member, at)) {
    if (auto made = successor(state, member, at)) return made;
  }
  return Resume{member, goal_after(at)};
}

bool Pbt::is_replaced(TrialId member, Step at) const {
  const std::set<RungResult>& results = population_.results(at);
  auto worst = results.rbegin();
  for (std::size_t i = quota(results.size()); i > 0; --i, ++worst) {
    if (worst->trial == member) return true;
  }
  return false;
}

/// Of those that are not among the worst at the step, the best ones that live and have a checkpoint
/// to begin with.
std::vector<TrialId> Pbt::parents(const StudyState& state, TrialId replaced, Step at) const {
  const std::set<RungResult>& results = population_.results(at);
  const std::size_t wanted = std::max<std::size_t>(quota(results.size()), 1);
  std::size_t left = results.size() - quota(results.size());
  std::vector<TrialId> best;
  for (const RungResult& each : results) {
    if (left-- == 0 || best.size() == wanted) break;
    if (each.trial == replaced || !population_.members().contains(each.trial)) continue;
    const ArtifactRef* checkpoint = state.trials[each.trial].rung_checkpoint();
    if (checkpoint != nullptr && checkpoint->step < full_budget_) best.push_back(each.trial);
  }
  return best;
}

/// Who takes the place of a trial; nothing where nobody has anything to copy. Drawn under the
/// number of the trial that it will be, so that the log gives the same again.
std::optional<Assignment> Pbt::successor(const StudyState& state, TrialId replaced, Step at) const {
  std::vector<TrialId> best = parents(state, replaced, at);
  if (!state.enqueued.empty()) {
    std::erase_if(best, [&](TrialId each) {
      return !exploration_.may_become(*state.trials[each].configuration, state.enqueued.front());
    });
    if (best.empty()) return from_nothing(state, replaced);
  }
  if (best.empty()) return std::nullopt;
  const Key key = fold_in(fold_in(root_key(state.seed), "pbt"), state.trials.size());
  const TrialId parent = best[Stream(fold_in(key, "parent")).below(best.size())];
  const Step step = state.trials[parent].rung_checkpoint()->step;
  return copy(state, {parent, step, replaced}, at, fold_in(key, "explore"));
}

Exploit Pbt::copy(const StudyState& state, const Parent& parent, Step at, Key key) const {
  Exploit made;
  made.parent = parent;
  made.until = goal_after(parent.step);
  const std::set<RungResult>& results = population_.results(at);
  const auto place = [&](TrialId trial) {
    const auto found = std::ranges::find(results, trial, &RungResult::trial);
    return std::distance(results.begin(), found) + 1;
  };
  made.note =
      Json{{"compared_at", at}, {"results", results.size()}, {"parent", place(parent.trial)}};
  const TrialId replaced = *parent.replaces;
  if (population_.has_result(replaced, at)) made.note["replaced"] = place(replaced);
  explore(state, key, made);
  return made;
}

/// The values of a copy.
void Pbt::explore(const StudyState& state, Key key, Exploit& made) const {
  made.enqueued = !state.enqueued.empty();
  if (made.enqueued) {
    made.configuration = state.enqueued.front();
  } else if (pb2_) {
    Pb2::Explored explored = pb2_->explore(state, made.parent, key);
    made.configuration = std::move(explored.configuration);
    made.note["pb2"] = std::move(explored.note);
  } else {
    made.configuration = exploration_.explore(*state.trials[made.parent.trial].configuration, key);
  }
}

/// For what is enqueued, and shapes a model that nobody has trained.
StartNew Pbt::from_nothing(const StudyState& state, TrialId replaced) const {
  const bool lives = state.trials[replaced].state != TrialState::closed;
  return {goal_after(0), lives ? std::optional(replaced) : std::nullopt};
}

/// A member goes on unless it is among the worst.
std::optional<RungStanding> Pbt::standing(TrialId trial) const {
  const auto member = population_.members().find(trial);
  if (member == population_.members().end()) return std::nullopt;
  const std::set<RungResult>& results = population_.results(member->second);
  const auto place = place_among(results, trial, results.size() - quota(results.size()));
  return place ? std::optional(RungStanding{member->second, *place}) : std::nullopt;
}

RungPlan Pbt::rungs() const {
  RungPlan plan;
  plan.eta = 1 / (1 - options_.quantile);
  for (Step at = goal_after(0); at < full_budget_; at = goal_after(at)) plan.levels.push_back(at);
  plan.levels.push_back(full_budget_);
  return plan;
}

bool refuse(Diagnostics& diagnostics, const ConfigNode& node, const char* key,
            const std::string& what, const std::string& help) {
  diagnostics.error("E0502", fmt::format("{}.{} {}", Scheduler::kOptionsPath, key, what),
                    option_mark(node, key), help);
  return false;
}

bool check_numbers(const PbtOptions& options, const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = true;
  if (!(options.quantile > 0 && options.quantile <= 0.5)) {
    fine = refuse(diagnostics, node, "quantile", "must be above 0, and at most 0.5",
                  "0.25 replaces two of eight by copies of the best two");
  } else if (options.quantile * options.population + 1e-9 < 1) {
    const double least = std::ceil(1 / options.quantile - 1e-9);
    fine = refuse(diagnostics, node, "population",
                  fmt::format("{} is too few: nobody is among the worst {}", options.population,
                              to_text(Value(options.quantile))),
                  fmt::format("{} at least, or a larger `quantile`", least));
  }
  if (!(options.resample >= 0 && options.resample <= 1)) {
    fine = refuse(diagnostics, node, "resample", "must be from 0 to 1", "0.25 suits most");
  }
  return fine;
}

bool any_number(const SearchSpace& space, const std::vector<std::string>& names) {
  return std::ranges::any_of(space.columns(), [&](const Column& column) {
    const std::string& name = space.parameters()[column.parameter].name;
    return Pb2::proposes(column) && std::ranges::find(names, name) != names.end();
  });
}

/// Errors: no float where nothing is named; no number for a model to propose; names that are not
/// those of searched parameters.
bool choose_parameters(const SearchSpace& space, PbtOptions& options, const ConfigNode& node,
                       Diagnostics& diagnostics) {
  std::vector<std::string> searched, floats;
  for (const Column& column : space.columns()) {
    const Parameter& each = space.parameters()[column.parameter];
    searched.push_back(each.name);
    if (std::holds_alternative<Real>(each.domain)) floats.push_back(each.name);
  }
  if (!options.mutate) options.mutate = floats;
  if (options.mutate->empty()) {
    return refuse(diagnostics, node, "mutate", "has no parameter that copies may change",
                  "name some that may change while a model trains, as a learning rate does");
  }
  bool fine = true;
  if (options.explore == Explore::pb2 && !any_number(space, *options.mutate)) {
    fine = refuse(diagnostics, node, "explore", "is `pb2`, but no number may change",
                  "name a number in `mutate`, or use `explore: perturb`");
  }
  const ConfigNode* names = node.find("mutate");
  for (std::size_t i = 0; names != nullptr && i < options.mutate->size(); ++i) {
    const std::string& name = (*options.mutate)[i];
    if (std::ranges::find(searched, name) != searched.end()) continue;
    const std::string near = closest(name, searched);
    const std::string what = space.find(name) != nullptr ? "is not searched" : "does not exist";
    diagnostics.error(
        "E0502",
        fmt::format("{}.mutate[{}]: parameter `{}` {}", Scheduler::kOptionsPath, i, name, what),
        names->items()[i].mark(),
        near.empty() ? "name parameters of `space` that have a range or choices"
                     : fmt::format("did you mean `{}`?", near));
    fine = false;
  }
  return fine;
}

/// Errors: no steps, or no checkpoints of them; an interval that nobody comes past.
std::optional<Step> choose_interval(const StudySpec& spec, const PbtOptions& options,
                                    const ConfigNode& node, Diagnostics& diagnostics) {
  if (!check_fidelity("pbt", spec, node, diagnostics)) return std::nullopt;
  const FidelitySpec& fidelity = *spec.fidelity;
  if (!check_steps("pbt", fidelity, node, diagnostics)) return std::nullopt;
  if (!fidelity.resumable) {
    diagnostics.error("E0503",
                      "scheduler `pbt` copies checkpoints, but the study has `resumable: false`",
                      node.mark(), "use a trainer that resumes, or `scheduler: asha`");
    return std::nullopt;
  }
  const Step interval = options.interval.value_or(
      std::max((fidelity.max + kIntervals - 1) / kIntervals, fidelity.min));
  if (interval >= 1 && interval < fidelity.max) return interval;
  refuse(diagnostics, node, "interval",
         fmt::format("must be from 1 to {}, below fidelity.max", fidelity.max - 1),
         "a tenth of the training suits most");
  return std::nullopt;
}

/// Errors: the study file asks for more members to begin with than there are places.
bool check_points(const InitialSpec& initial, int population, Diagnostics& diagnostics) {
  const auto places = static_cast<std::size_t>(std::max(population, 0));
  if (initial.points.size() <= places) return true;
  // The parameters' own defaults are in front of the file's points, and nowhere in the file.
  const bool has_defaults = initial.points.front().mark().file.empty();
  diagnostics.error(
      "E0502",
      fmt::format("algorithm.initial.points[{}] would never be trained: a population of {} begins "
                  "with {} points{}",
                  places - (has_defaults ? 1 : 0), places, places,
                  has_defaults ? ", of which the parameters' defaults are one" : ""),
      initial.points[places].mark(),
      fmt::format("population {}, or fewer points; `betatune enqueue` gives a population more "
                  "members while it trains",
                  initial.points.size()));
  return false;
}

std::unique_ptr<Scheduler> make(const PolicyContext& context, const PbtOptions& given,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  PbtOptions options = given;
  bool fine = check_one_objective("pbt", context.spec, node, diagnostics);
  fine = check_numbers(options, node, diagnostics) && fine;
  fine = choose_parameters(context.spec.space, options, node, diagnostics) && fine;
  fine = fine && check_points(context.spec.algorithm.initial, options.population, diagnostics);
  const auto interval = choose_interval(context.spec, options, node, diagnostics);
  if (!fine || !interval) return nullptr;
  return std::make_unique<Pbt>(context.spec, options, *interval);
}

const bool registered = SchedulerRegistry::add<PbtOptions>(
    "pbt", "A population trains; its worst go on from copies of its best, with other values.",
    make);

}  // namespace
}  // namespace betatune
