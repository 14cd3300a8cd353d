// Every state that a small study can come to under a scheduler, whatever order things happen in:
// asking, reports, the end of attempts, failures of both kinds, lost workers, damaged checkpoints,
// a killed optimizer, a person who stops a trial. Breadth first, states with the same fold once;
// each is made anew from its log, so that all of this is true of a resumed study.
// BETATUNE_LONG_TESTS=1 explores more kinds of trouble.

#include <cstdlib>
#include <deque>
#include <fmt/format.h>
#include <functional>
#include <gtest/gtest.h>
#include <iostream>
#include <unordered_map>

#include "tests/support/explored_study.hpp"

namespace betatune {
namespace {

using support::ExploredStudy;
using support::fidelity_spec;
using support::Happening;
using support::SmallStudy;

bool is_long() {
  return std::getenv("BETATUNE_LONG_TESTS") != nullptr;
}

/// What the scheduler says when it is asked, and whether a new trial may start.
using Answer = std::optional<Assignment>;
/// Empty, or what is wrong with an answer in a state.
using Rule = std::function<std::string(const ExploredStudy&, const Answer&, bool may_start)>;

struct Exploration {
  SmallStudy study;
  Rule rule;
  /// Empty, or what is wrong with what just happened.
  std::function<std::string(const ExploredStudy&)> after = [](const auto&) {
    return std::string();
  };
  bool ordered = false;      ///< the order of results is part of a state
  bool always_busy = true;   ///< an idle slot always gets work while the budget lasts
  bool trains_fully = true;  ///< somebody is trained to the end, unless all fail
};

std::string text_of(const Answer& answer) {
  if (!answer) return "nothing";
  if (const auto* resume = std::get_if<Resume>(&*answer)) {
    return fmt::format("resume {} to {}", resume->trial.n, resume->until);
  }
  if (const auto* exploit = std::get_if<Exploit>(&*answer)) {
    return json_text(encode_json(exploit->parent)) + json_text(to_json(exploit->configuration)) +
           fmt::format(" to {}", exploit->until);
  }
  return fmt::format("start to {}", std::get<StartNew>(*answer).until);
}

/// What holds of the answers of any scheduler.
std::string broken_by(const ExploredStudy& it, const Answer& answer, bool may_start) {
  if (!answer) return {};
  const StudyState& state = it.state();
  const std::vector<Step> levels = it.scheduler().rungs().levels;
  Step until = 0;
  if (const auto* resume = std::get_if<Resume>(&*answer)) {
    until = resume->until;
    const Trial& trial = state.trials[resume->trial];
    if (trial.state != TrialState::paused) return "goes on with a trial that is not paused";
    if (until <= trial.until) return "goes on to where the trial has been";
  } else if (const auto* exploit = std::get_if<Exploit>(&*answer)) {
    until = exploit->until;
    if (!may_start) return "copies beyond the budget";
    if (until <= exploit->parent.step) return "copies to where the parent has been";
    if (!state.trials[exploit->parent.trial].checkpoint) return "copies without a checkpoint";
  } else {
    until = std::get<StartNew>(*answer).until;
    if (!may_start) return "starts a trial beyond the budget";
  }
  const bool is_rung =
      levels.empty() ? until == state.full_budget : std::ranges::binary_search(levels, until);
  return is_rung ? "" : "trains to a step that is no rung";
}

class Explorer {
 public:
  explicit Explorer(Exploration what) : what_(std::move(what)) {}

  std::size_t run() {
    nodes_.push_back({no_parent, ExploredStudy::beginning(what_.study), {}});
    nodes_[0].moves = made_of(0).moves();
    for (std::size_t at = 0; at < nodes_.size() && !::testing::Test::HasFailure(); ++at) {
      for (const support::Move& move : nodes_[at].moves) {
        ExploredStudy next = made_of(at);
        next.take(move);
        ++moves_;
        if (next.state().trials.size() > static_cast<std::size_t>(what_.study.trials)) {
          ADD_FAILURE() << "more trials than the budget has\n" << story(at);
        }
        see(next, at);
        if (::testing::Test::HasFailure()) break;
      }
    }
    std::cout << "  " << nodes_.size() << " states, " << moves_ << " moves, " << ends_ << " ends\n";
    return nodes_.size();
  }

 private:
  static constexpr std::size_t no_parent = ~std::size_t{0};
  struct Node {
    std::size_t parent = no_parent;
    std::vector<Fact> facts;
    std::vector<support::Move> moves;
  };

  ExploredStudy made_of(std::size_t at) const {
    std::vector<const std::vector<Fact>*> log;
    for (; at != no_parent; at = nodes_[at].parent) log.push_back(&nodes_[at].facts);
    std::ranges::reverse(log);
    return ExploredStudy(what_.study, log);
  }

  void see(const ExploredStudy& it, std::size_t parent) {
    const Scheduler& scheduler = it.scheduler();
    const Answer with = scheduler.next(it.state(), true);
    const Answer without = scheduler.next(it.state(), false);
    const std::string said = text_of(with) + "; " + text_of(without);
    const auto [known, is_new] = seen_.emplace(it.key(what_.ordered), said);
    if (!is_new) {
      // Equal states, made by different logs: a decision must not tell them apart.
      if (known->second != said) {
        ADD_FAILURE() << "one state, two answers: " << known->second << " and " << said << '\n'
                      << story(parent) << text_of(it.news());
      }
      return;
    }
    std::string wrong = broken_by(it, with, true) + broken_by(it, without, false);
    wrong += what_.after(it);
    // What waits to begin (again) goes first: nobody asks the scheduler before it runs.
    if (it.state().waiting.empty()) {
      if (it.may_start()) wrong += what_.rule(it, with, true);
      wrong += what_.rule(it, without, false);
      wrong += broken_by_idleness(it, it.may_start() ? with : without);
    }
    if (!wrong.empty()) {
      ADD_FAILURE() << wrong << ", in answer to " << said << '\n'
                    << story(parent) << text_of(it.news());
    }
    nodes_.push_back({parent, it.news(), it.moves()});
  }

  std::string broken_by_idleness(const ExploredStudy& it, const Answer& answer) {
    if (answer) return {};
    if (it.may_start() && what_.always_busy) return "a free slot gets no work";
    if (!it.is_idle()) return {};
    ++ends_;
    if (it.may_start() && !it.scheduler().copies()) return "the study stands still";
    bool any_fully = false, any_fit = false;
    for (const Trial& trial : it.state().trials) {
      if (trial.state != TrialState::closed && trial.state != TrialState::paused) {
        return "the study ends with a trial that is neither paused nor closed";
      }
      any_fully |= trial.outcome == Outcome::completed;
      any_fit |= trial.state == TrialState::paused && trial.loss;
    }
    return what_.trains_fully && any_fit && !any_fully ? "the study ends without a full training"
                                                       : "";
  }

  static std::string text_of(const Answer& answer) { return betatune::text_of(answer); }
  static std::string text_of(const std::vector<Fact>& facts) {
    std::string text;
    for (const Fact& fact : facts) {
      text += fmt::format("  {} {}\n", fact_type(fact), encode_fact(fact).dump());
    }
    return text;
  }
  std::string story(std::size_t at) const {
    return (nodes_[at].parent == no_parent ? std::string() : story(nodes_[at].parent)) +
           text_of(nodes_[at].facts);
  }

  Exploration what_;
  std::deque<Node> nodes_;
  std::unordered_map<std::uint64_t, std::string> seen_;
  std::size_t moves_ = 0, ends_ = 0;
};

/// A study of rungs 1, 2 and 4, or the first two of them, eta 2.
SmallStudy small(const std::string& scheduler, Json options = Json::object(), Step max = 4) {
  SmallStudy study;
  if (scheduler != "pbt" && scheduler != "fifo") options["eta"] = 2;
  study.spec = fidelity_spec(1, max, scheduler, options);
  study.levels = rung_levels(1, max, 2);
  study.trials = 3;
  study.happenings = {Happening::diverge};
  if (is_long()) {
    study.happenings = {Happening::ask_only, Happening::find_damage, Happening::stop_paused};
  }
  return study;
}

bool is_open(const ExploredStudy& it, TrialId trial, Step level) {
  const Trial& row = it.state().trials[trial];
  return row.state == TrialState::paused && row.until == level;
}

/// The best trial that waits at a level, if it is among the best 1/2 of all that came there.
std::optional<TrialId> best_of_top(const ExploredStudy& it, Step level) {
  const std::vector<TrialId> all = it.ledger().ranking(level);
  for (std::size_t place = 0; place < all.size() / 2; ++place) {
    if (is_open(it, all[place], level)) return all[place];
  }
  return std::nullopt;
}

/// How many of a level's results have gone on.
std::size_t gone_on(const ExploredStudy& it, Step level) {
  return static_cast<std::size_t>(
      std::ranges::count_if(it.ledger().ranking(level),
                            [&](TrialId trial) { return it.state().trials[trial].until > level; }));
}

/// Who goes to the end when the budget is used and nobody was trained there: the best of the
/// highest rung.
std::string broken_by_finish(const ExploredStudy& it, const Resume& resume) {
  const std::vector<Step> levels = it.scheduler().rungs().levels;
  if (!it.is_idle() || !it.ledger().ranking(levels.back()).empty()) {
    return "promotes who is not among the best";
  }
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    for (const TrialId trial : it.ledger().ranking(*level)) {
      if (!is_open(it, trial, *level)) continue;
      return trial == resume.trial && resume.until == levels.back() ? "" : "finishes not the best";
    }
  }
  return "finishes what does not wait";
}

/// Asynchronous halving up to rung number `top`: the best of the top half of the highest rung that
/// has one. delayed: only while no more than half of the rung's trials have gone on.
Rule halving_rule(std::size_t top, bool delayed = false) {
  return [=](const ExploredStudy& it, const Answer& answer, bool may_start) -> std::string {
    const std::vector<Step> levels = it.scheduler().rungs().levels;
    for (std::size_t rung = top; rung-- > 0;) {
      const Step level = levels[rung];
      const auto best = best_of_top(it, level);
      if (delayed && gone_on(it, level) + 1 > it.ledger().ranking(level).size() / 2) continue;
      if (!best) continue;
      return text_of(answer) == text_of(Resume{*best, levels[rung + 1]}) ? ""
                                                                         : "passes over the best";
    }
    const auto* resume = answer ? std::get_if<Resume>(&*answer) : nullptr;
    if (resume == nullptr) return {};
    return may_start ? "promotes who is not among the best" : broken_by_finish(it, *resume);
  };
}

/// A trial that runs on is stopped where it is not in the top half of two results and more.
std::string broken_by_judgement(const ExploredStudy& it) {
  for (const Fact& fact : it.news()) {
    const auto* reported = std::get_if<Reported>(&fact);
    if (reported == nullptr || !reported->loss) continue;
    const Trial& trial = it.state().trials[reported->trial];
    if (reported->step >= trial.until) continue;
    const std::vector<TrialId> all = it.ledger().ranking(reported->step);
    const auto place = std::ranges::find(all, trial.id) - all.begin();
    const bool stays = all.size() < 2 || place < std::ssize(all) / 2;
    if (stays == trial.decided.has_value()) return "stops one of the best, or leaves a bad one";
  }
  return {};
}

/// Synchronous brackets: `sizes[i]` trials begin at level `firsts[i]`, in turn.
struct BracketTable {
  std::vector<std::size_t> sizes;
  std::vector<Step> firsts;
};

/// Of the trials of a bracket that began with at least one, in the order of their beginning.
std::vector<TrialId> bracket_of(const ExploredStudy& it, const BracketTable& table, TrialId trial,
                                bool& is_full) {
  const std::vector<TrialId>& begun = it.ledger().begun;
  std::size_t from = 0;
  for (std::size_t i = 0; from < begun.size(); ++i) {
    const std::size_t size = table.sizes[i % table.sizes.size()];
    const std::size_t to = std::min(begun.size(), from + size);
    const std::span members = std::span(begun).subspan(from, to - from);
    is_full = members.size() == size;
    if (std::ranges::find(members, trial) != members.end()) return {members.begin(), members.end()};
    from = to;
  }
  return {};
}

Rule bracket_rule(BracketTable table) {
  return [=](const ExploredStudy& it, const Answer& answer, bool may_start) -> std::string {
    const auto* resume = answer ? std::get_if<Resume>(&*answer) : nullptr;
    if (resume == nullptr) return {};
    bool is_full = false;
    const std::vector<TrialId> members = bracket_of(it, table, resume->trial, is_full);
    if (!is_full && may_start) return "goes on with a bracket that is not full";
    const Step level = it.state().trials[resume->trial].until;
    std::vector<TrialId> results;
    bool any_above = false;
    for (const TrialId trial : it.ledger().ranking(level)) {
      if (std::ranges::find(members, trial) != members.end()) results.push_back(trial);
    }
    for (const TrialId id : members) {
      const Trial& trial = it.state().trials[id];
      const bool trains = trial.state == TrialState::running || trial.state == TrialState::created;
      if (trains && trial.until <= level) return "does not wait for its bracket";
      any_above |= trial.until > level && trial.outcome != Outcome::failed;
    }
    const auto place = std::ranges::find(results, resume->trial) - results.begin();
    if (place < std::ssize(results) / 2) return {};
    const auto open =
        std::ranges::find_if(results, [&](TrialId trial) { return is_open(it, trial, level); });
    return !any_above && *open == resume->trial ? "" : "promotes who is not among the best";
  };
}

/// The worst half of a population of two, rounded down, is replaced by copies of others.
std::string population_rule(const ExploredStudy& it, const Answer& answer, bool may_start) {
  const StudyState& state = it.state();
  const auto is_worst = [&](TrialId trial, Step level) {
    const std::vector<TrialId> all = it.ledger().ranking(level);
    return std::ranges::find(all, trial) - all.begin() >= std::ssize(all) - std::ssize(all) / 2;
  };
  if (answer && std::holds_alternative<Exploit>(*answer)) {
    const Parent& parent = std::get<Exploit>(*answer).parent;
    const Trial& replaced = state.trials[*parent.replaces];
    if (state.trials[parent.trial].state == TrialState::closed) return "copies who has ended";
    if (parent.trial == replaced.id) return "copies whom it replaces";
    if (replaced.replaced_by) return "replaces one twice";
    if (replaced.state == TrialState::closed) return "";
    return is_worst(replaced.id, replaced.until) ? "" : "replaces who is not among the worst";
  }
  const auto* resume = answer ? std::get_if<Resume>(&*answer) : nullptr;
  if (resume == nullptr) return {};
  const Step level = state.trials[resume->trial].until;
  for (const TrialId other : state.paused) {
    if (state.trials[other].until < level) return "leaves one behind";
  }
  if (!may_start || !is_worst(resume->trial, level)) return {};
  for (const TrialId other : it.ledger().ranking(level)) {
    const bool lives = state.trials[other].state != TrialState::closed;
    if (lives && !is_worst(other, level)) return "goes on with one of the worst";
  }
  return {};
}

const Rule kAnything = [](const ExploredStudy&, const Answer&, bool) { return std::string(); };

TEST(ExploredSchedulers, Asha) {
  Explorer({.study = small("asha"), .rule = halving_rule(2)}).run();
}

TEST(ExploredSchedulers, AshaThatStops) {
  SmallStudy study = small("asha", {{"mode", "stop"}});
  if (!is_long())
    study.levels = {2, 4}, study.spec = fidelity_spec(2, 4, "asha", {{"mode", "stop"}, {"eta", 2}});
  Explorer({.study = study,
            .rule = halving_rule(0),
            .after = broken_by_judgement,
            .trains_fully = false})
      .run();
}

// The highest rung may be the second or the third: which one follows from the order of results.
TEST(ExploredSchedulers, Pasha) {
  const Rule to_second = halving_rule(1), to_third = halving_rule(2);
  SmallStudy study = small("pasha");
  study.happenings = {};
  Explorer({.study = study,
            .rule =
                [=](const ExploredStudy& it, const Answer& answer, bool may_start) {
                  const std::string broken = to_third(it, answer, may_start);
                  return broken.empty() ? broken : to_second(it, answer, may_start);
                },
            .ordered = true})
      .run();
}

TEST(ExploredSchedulers, HyperTune) {
  Explorer({.study = small("hyper-tune"), .rule = halving_rule(2, true)}).run();
}

TEST(ExploredSchedulers, SuccessiveHalving) {
  SmallStudy study = small("successive-halving", {{"trials", 2}}, 2);
  if (!is_long()) study.happenings = {Happening::stop_paused};
  Explorer({.study = study, .rule = bracket_rule({{2}, {1}})}).run();
}

TEST(ExploredSchedulers, Hyperband) {
  SmallStudy study = small("hyperband", Json::object(), 2);
  study.trials = 3;
  Explorer({.study = study, .rule = bracket_rule({{2, 2}, {1, 2}})}).run();
}

TEST(ExploredSchedulers, Dehb) {
  SmallStudy study = small("dehb", Json::object(), 2);
  study.trials = 4;
  if (!is_long()) study.happenings = {};
  Explorer({.study = study, .rule = kAnything}).run();
}

TEST(ExploredSchedulers, PopulationBasedTraining) {
  SmallStudy study = small("pbt", {{"population", 2}, {"quantile", 0.5}, {"interval", 2}});
  study.levels = {2, 4};
  study.happenings = {};
  Explorer({.study = study,
            .rule = population_rule,
            .ordered = true,
            .always_busy = false,
            .trains_fully = false})
      .run();
}

TEST(ExploredSchedulers, FreezeThaw) {
  SmallStudy study = small("freeze-thaw");
  study.happenings = {};
  study.slots = 1;
  Explorer({.study = study, .rule = kAnything, .ordered = true}).run();
}

TEST(ExploredSchedulers, MedianStoppingAndFifo) {
  for (const char* name : {"fifo", "median-stopping"}) {
    SmallStudy study = small("fifo");
    study.spec = fidelity_spec(1, 4, name);
    study.levels = {2, 4};
    Explorer({.study = study, .rule = kAnything, .trains_fully = false}).run();
  }
}

}  // namespace
}  // namespace betatune
