#pragma once
/// Races of searchers against random search, over fixed seeds, so that a test cannot flicker.

#include <cmath>
#include <string>

#include "tests/support/test_functions.hpp"

namespace betatune::test {

using MakeStudy = std::function<HistoryBuilder(std::uint64_t seed)>;

/// In how many of 20 seeds the searcher's best loss is below random's. If they were equally good,
/// 16 or more would happen with a probability of 0.6 %.
inline int wins_of_20(const std::string& searcher, const MakeStudy& make, const Loss& loss,
                      int trials) {
  int wins = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    HistoryBuilder ours = make(seed), theirs = make(seed);
    const double best = run_study(ours, *ours.searcher(searcher), loss, trials);
    wins += best < run_study(theirs, *theirs.searcher("random"), loss, trials) ? 1 : 0;
  }
  return wins;
}

inline MakeStudy boxes(int dims) {
  return [dims](std::uint64_t seed) { return HistoryBuilder(unit_box(dims), {}, seed); };
}

/// A training in miniature: an optimizer with a parameter of its own, a learning rate, an integer.
inline HistoryBuilder conditional_study(std::uint64_t seed) {
  return HistoryBuilder(
      {real("lr", 1e-5, 1, Scale::log),
       choice("optimizer", {Value{"sgd"}, Value{"adam"}, Value{"lamb"}}),
       when(real("momentum", 0, 0.99), "optimizer == sgd"),
       when(real("beta", 0.5, 0.999), "optimizer in [adam, lamb]"), integer("layers", 1, 40)},
      {"layers * lr <= 20"}, seed);
}

inline double conditional_loss(const Configuration& x) {
  const double rate = std::log10(number(x, "lr"));
  const std::string name = std::get<std::string>(x.at("optimizer"));
  double loss = std::pow(number(x, "layers") - 23, 2) / 400;
  if (name == "sgd")
    return loss + std::pow(rate + 1, 2) + 3 * std::pow(number(x, "momentum") - 0.9, 2) + 0.1;
  loss += std::pow(rate + 3.2, 2) + 2 * std::pow(number(x, "beta") - 0.8, 2);
  return name == "adam" ? loss : loss + 0.5;
}

/// Ten choices of six, each with a best one and costs for the others.
inline HistoryBuilder choices_study(std::uint64_t seed) {
  const std::vector<Value> words{Value{"a"}, Value{"b"}, Value{"c"},
                                 Value{"d"}, Value{"e"}, Value{"f"}};
  std::vector<Parameter> parameters;
  for (int j = 0; j < 10; ++j) parameters.push_back(choice("c" + std::to_string(j), words));
  return HistoryBuilder(std::move(parameters), {}, seed);
}

inline double choices_loss(const Configuration& x) {
  Stream costs(root_key(77));
  double loss = 0;
  for (const auto& [name, value] : x) {
    const char word = std::get<std::string>(value).front();
    for (char each = 'a'; each <= 'f'; ++each) {
      const double cost = costs.uniform();
      if (each == word) loss += cost;
    }
  }
  return loss;
}

}  // namespace betatune::test
