#pragma once
/// Histories for tests and benchmarks of searchers, without a log or a coordinator.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "optimizer/history.hpp"
#include "optimizer/scheduler.hpp"

namespace betatune::test {

inline Parameter real(std::string name, double min, double max, Scale scale = Scale::linear) {
  return {std::move(name), Real{min, max, scale, std::nullopt}, std::nullopt, std::nullopt};
}
inline Parameter integer(std::string name, std::int64_t min, std::int64_t max) {
  return {std::move(name), Integer{min, max, Scale::linear, 1}, std::nullopt, std::nullopt};
}
inline Parameter choice(std::string name, std::vector<Value> values) {
  return {std::move(name), Categorical{std::move(values)}, std::nullopt, std::nullopt};
}
inline Parameter when(Parameter parameter, const std::string& condition) {
  parameter.when = Expression::parse(condition).value();
  return parameter;
}

class HistoryBuilder {
 public:
  explicit HistoryBuilder(std::vector<Parameter> parameters,
                          const std::vector<std::string>& constraints = {},
                          std::uint64_t seed = 1) {
    std::vector<Expression> parsed;
    for (const std::string& each : constraints) parsed.push_back(Expression::parse(each).value());
    auto spec = std::make_shared<StudySpec>();
    auto space = SearchSpace::make(std::move(parameters), std::move(parsed));
    if (!space) assertion_failed("space", __FILE__, __LINE__, space.error().message);
    spec->space = std::move(space).value();
    spec->study.name = "test";
    spec->study.seed = seed;
    spec->algorithm.searcher.name = "auto";
    spec_ = spec;
    history_.spec = spec_;
  }

  StudySpec& spec() { return *spec_; }
  const SearchSpace& space() const { return spec_->space; }
  const History& history() const { return history_; }
  History& edit() { return history_; }

  /// The searcher of this name with default options.
  std::unique_ptr<Searcher> searcher(const std::string& name) const {
    Diagnostics problems;
    const auto* entry = SearcherRegistry::find(name);
    if (entry == nullptr) return nullptr;
    return entry->make(PolicyContext{*spec_}, ConfigNode(), problems);
  }

  Trial& add(const Configuration& configuration, const std::string& origin, TrialState state) {
    Trial trial;
    trial.id = TrialId{history_.trials.size()};
    trial.configuration = std::make_shared<const Configuration>(configuration);
    trial.origin = origin;
    trial.state = state;
    history_.trials.add(std::move(trial));
    ++history_.seq;
    return history_.trials.edit(TrialId{history_.trials.size() - 1});
  }
  void finish(TrialId id, double loss, Step step = 1) {
    Trial& trial = history_.trials.edit(id);
    trial.state = TrialState::closed;
    trial.outcome = Outcome::completed;
    trial.observations.push_back({step, AttemptId{1}, loss, false, 0});
    trial.loss = loss;
    trial.loss_step = step;
    trial.standing = Standing{step, loss};
    ++history_.seq;
  }
  /// With these outcomes beside the loss: slacks of the outcome constraints, further objectives.
  void finish_with(TrialId id, double loss, std::vector<double> outcomes) {
    finish(id, loss);
    Trial& trial = history_.trials.edit(id);
    const std::size_t limits = spec_->outcome_constraints.size();
    trial.violation = total_violation(std::span(outcomes).first(limits));
    trial.outcomes = trial.observations.back().outcomes = std::move(outcomes);
    trial.standing->violation = trial.violation;
  }
  /// A limit on a metric, whose name is all that is told of it.
  void limit(const std::string& metric) {
    spec_->outcome_constraints.push_back(Inequality::parse(metric + " <= 0").value());
  }
  void fail(TrialId id, FailureClass failure) {
    Trial& trial = history_.trials.edit(id);
    trial.state = TrialState::closed;
    trial.outcome = Outcome::failed;
    trial.last_failure = failure;
    ++history_.seq;
  }
  TrialId add_result(const Configuration& configuration, const std::string& origin, double loss) {
    const TrialId id = add(configuration, origin, TrialState::running).id;
    finish(id, loss);
    return id;
  }
  /// A trial as it comes from a suggestion: with its note, which some searchers read again.
  Trial& add(const Suggestion& suggestion, TrialState state) {
    Trial& trial = add(suggestion.configuration, suggestion.origin, state);
    if (!suggestion.note.is_null()) trial.note = std::make_shared<const Json>(suggestion.note);
    return trial;
  }
  TrialId add_result(const Suggestion& suggestion, double loss) {
    const TrialId id = add(suggestion, TrialState::running).id;
    finish(id, loss);
    return id;
  }
  TrialId add_failure(const Configuration& configuration, FailureClass failure) {
    const TrialId id = add(configuration, "test", TrialState::running).id;
    fail(id, failure);
    return id;
  }
  TrialId add_running(const Configuration& configuration) {
    return add(configuration, "test", TrialState::running).id;
  }

 private:
  std::shared_ptr<StudySpec> spec_;
  History history_;
};

using Loss = std::function<double(const Configuration&)>;

/// A study of `trials` trials, one at a time; returns the best loss.
inline double run_study(HistoryBuilder& study, const Searcher& searcher, const Loss& loss,
                        int trials) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < trials; ++i) {
    const Key key =
        fold_in(fold_in(root_key(*study.spec().study.seed), "plan"), static_cast<std::uint64_t>(i));
    const auto suggestions = searcher.suggest(study.history(), 1, key);
    if (suggestions.empty()) break;
    const double value = loss(suggestions[0].configuration);
    study.add_result(suggestions[0], value);
    best = std::min(best, value);
  }
  return best;
}

inline double number(const Configuration& configuration, const std::string& name) {
  double out = 0;
  const bool is_number = to_number(configuration.at(name), &out);
  BETATUNE_ASSERT(is_number);
  return out;
}

}  // namespace betatune::test
