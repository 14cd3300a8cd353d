#pragma once
/// The members of a population that trains, as a fold of the log: who lives, whose place is empty,
/// and what all of them have come to at each step at which they are compared.
///
/// A member is a trial. Where one ends for a copy of another, the new trial takes its place; a
/// place whose trial failed, or was stopped by a person or for a trial that begins from nothing,
/// stays empty until a new one begins. Trials that begin without a place make the population
/// larger.

#include <cstddef>
#include <deque>
#include <map>
#include <set>

#include "optimizer/schedulers/rung_order.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {

class Population {
 public:
  /// The place of a trial that ended before its time.
  struct Vacancy {
    TrialId of;
    Step at = 0;  ///< the step at which it was compared last, or began
  };

  explicit Population(std::size_t size) : size_(size) {}

  void observe(const StudyState& state, const Event& event);

  /// Whether fewer trials than it has members have begun.
  bool has_room() const { return members_.size() + vacancies_.size() + completed_ < size_; }
  /// Oldest first.
  const std::deque<Vacancy>& vacancies() const { return vacancies_; }
  /// The living, with the step at which each was compared last, or began.
  const std::map<TrialId, Step>& members() const { return members_; }
  /// Of all that have reached the step as members and did not fail since, best first.
  const std::set<RungResult>& results(Step step) const;
  /// Whether the trial has a result there.
  bool has_result(TrialId trial, Step step) const;

 private:
  void begin(const TrialCreated& created);
  void reach(const Trial& trial);
  void close(const TrialClosed& closed);

  std::size_t size_;
  std::map<TrialId, Step> members_;
  std::deque<Vacancy> vacancies_;
  std::size_t completed_ = 0;
  std::map<Step, std::set<RungResult>> results_;
};

}  // namespace betatune
