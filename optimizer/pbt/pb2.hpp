#pragma once
/// The explore step of population-based bandits (PB2, Parker-Holder et al. 2020, arXiv:2002.02518):
/// a copy gets the numbers with which a model expects training to gain most from here on, or may
/// do so, instead of random ones.

#include <memory>
#include <string>
#include <vector>

#include "optimizer/pbt/gain_model.hpp"
#include "optimizer/pbt/gains.hpp"
#include "optimizer/schedulers/exploration.hpp"

namespace betatune {

class Pb2 {
 public:
  struct Options {
    std::vector<std::string> mutate;  ///< names of searched parameters, the only ones that change
    double resample = 0.25;           ///< see Exploration
    Step interval = 1;
    int population = 8;
  };
  /// Whether the model can propose values of such a parameter: numbers, and choices in order.
  static bool proposes(const Column& column) { return column.kind != Column::Kind::categorical; }

  Pb2(SearchSpace space, const Options& options);

  void observe(const StudyState& state, const Event& event) { gains_.observe(state, event); }

  /// A configuration that meets the constraints, and what is to be remembered of it: `intervals`,
  /// of how many results, and where the model proposed it `loss`, `loss_low`, `loss_high`, what it
  /// expects after one interval and one deviation (of the function and the noise) to either side.
  /// While there are fewer results than the numbers that may change and two (`needed` then), or
  /// where nothing that was looked at meets the constraints, it is what Exploration says.
  struct Explored {
    Configuration configuration;
    Json note;
  };
  Explored explore(const StudyState& state, const Parent& parent, Key key) const;

 private:
  GainData data_of(const StudyState& state) const;
  GainPlaces pending(const StudyState& state) const;
  void add_place(const Gains::Mark& mark, const Eigen::VectorXd& point, GainPlaces& places) const;
  Eigen::VectorXd inputs_of(const Eigen::VectorXd& point) const;
  double time_of(Step step) const {
    return static_cast<double>(step) / static_cast<double>(options_.interval);
  }
  /// Where the upper bound is highest among what was looked at.
  struct Best {
    Eigen::VectorXd point;
    double bound = 0, mean = 0;
    double deviation = 0;  ///< of a result there, noise included
  };
  std::optional<Best> highest(const GainModel& model, const Gains::Mark& from,
                              const Eigen::VectorXd& around, Key key) const;
  void look_at(const GainModel& model, const Gains::Mark& from, double weight,
               const std::vector<Eigen::VectorXd>& points, std::optional<Best>& best) const;
  Eigen::VectorXd drawn(Eigen::VectorXd point, Stream& stream) const;
  Eigen::VectorXd moved(Eigen::VectorXd point, double radius, Stream& stream) const;

  SearchSpace space_;
  Options options_;
  std::vector<std::size_t> inputs_;   ///< columns that the model sees: all that may change
  std::vector<std::size_t> numbers_;  ///< those of them whose values it proposes
  std::vector<Column> columns_;       ///< of inputs_
  Exploration by_chance_, choices_by_chance_, with_numbers_;
  Gains gains_;
};

}  // namespace betatune
