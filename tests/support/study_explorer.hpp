#pragma once
/// Explores every state of a small study, breadth first, states with the same fold once; each is
/// made anew from its log, so that all that is found is true of a resumed study.

#include <deque>
#include <fmt/format.h>
#include <functional>
#include <gtest/gtest.h>
#include <iostream>
#include <unordered_map>

#include "tests/support/explored_study.hpp"

namespace betatune::support {

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
  Memory memory = {};
  bool always_busy = true;   ///< an idle slot always gets work while the budget lasts
  bool trains_fully = true;  ///< somebody is trained to the end, unless all fail
};

inline std::string text_of(const Answer& answer) {
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
inline std::string broken_by(const ExploredStudy& it, const Answer& answer, bool may_start) {
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
    nodes_.push_back({no_parent, ExploredStudy::beginning(what_.study), {}, 0});
    nodes_[0].moves = made_of(0).moves();
    for (std::size_t at = 0; at < nodes_.size() && !::testing::Test::HasFailure(); ++at) {
      for (const Move& move : nodes_[at].moves) {
        const bool is_trouble = std::ranges::count(kTroubles, move.what) > 0;
        const int troubles = nodes_[at].troubles + (is_trouble ? 1 : 0);
        if (troubles > what_.study.troubles) continue;
        ExploredStudy next = made_of(at);
        next.take(move);
        ++moves_;
        if (next.state().trials.size() > static_cast<std::size_t>(what_.study.trials)) {
          ADD_FAILURE() << "more trials than the budget has\n" << story(at);
        }
        see(next, at, troubles);
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
    std::vector<Move> moves;
    int troubles = 0;
  };

  ExploredStudy made_of(std::size_t at) const {
    std::vector<const std::vector<Fact>*> log;
    for (; at != no_parent; at = nodes_[at].parent) log.push_back(&nodes_[at].facts);
    std::ranges::reverse(log);
    return ExploredStudy(what_.study, log);
  }

  void see(const ExploredStudy& it, std::size_t parent, int troubles) {
    const Scheduler& scheduler = it.scheduler();
    const Answer with = scheduler.next(it.state(), true);
    const Answer without = scheduler.next(it.state(), false);
    const std::string said = text_of(with) + "; " + text_of(without);
    const auto [known, is_new] = seen_.emplace(it.key(what_.memory, troubles), said);
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
    nodes_.push_back({parent, it.news(), it.moves(), troubles});
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

  static std::string text_of(const Answer& answer) { return support::text_of(answer); }
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

}  // namespace betatune::support
