#pragma once
/// What `gp` and `auto` share: the design that comes first, and the models of the results.

#include <functional>
#include <optional>
#include <vector>

#include "optimizer/gp/model.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/searchers/gp_round.hpp"
#include "optimizer/searchers/start_up.hpp"

namespace betatune {

/// The state between calls is a cache: it holds what a cold start would compute again.
class GpCore {
 public:
  GpCore(const StudySpec& spec, GpOptions options);

  /// Starts a call: what is known, and the batch that remembers what is new in it.
  Observations observe(const History& history);
  FreshBatch batch(const History& history) const { return FreshBatch(history, seen_); }
  /// Chooses the next suggestion, the `index`-th of its call; nothing if the space is exhausted.
  using Choose = std::function<std::optional<Suggestion>(const GpRound&, const Observations&,
                                                         FreshBatch&, std::size_t index)>;
  /// A whole call of a searcher: the design, then choices, each pended for the next.
  std::vector<Suggestion> suggest(const History& history, int count, Key key, const Choose& choose);
  /// Conditions the models. Precondition: data.finite > 0.
  GpRound begin(const History& history, const Observations& data);
  /// Of the losses, as begin() left it.
  const GpModel& model() const { return model_; }
  /// The observed configuration whose modelled mean is lowest, of those that meet the outcome
  /// constraints if any do.
  std::optional<Configuration> recommend(const History& history);

 private:
  /// The suggestions that belong to the design, of `count`. Fewer than `count` may follow from the
  /// model, unless the space is exhausted: then `exhausted` is set.
  std::vector<Suggestion> design(const History& history, const Observations& data,
                                 FreshBatch& batch, int count, Key key, bool& exhausted) const;
  std::vector<SlackModel> condition_slacks(const Observations& data);
  /// Nothing with one objective. Precondition: model_ has been conditioned.
  std::optional<FrontModel> condition_front(const History& history, const Observations& data,
                                            GaussianProcess& first);
  /// Takes up the models of the history's earlier studies.
  void learn_from(const History& history);

  GpOptions options_;
  StartUp start_up_;
  SeenTrials seen_;
  std::vector<std::shared_ptr<const EarlierStudyRead>> earlier_;  ///< that the model has taken up
  ObservationCollector collector_;
  GpModel model_;
  std::vector<GpModel> slack_models_;    ///< one per outcome constraint
  std::vector<GpModel> further_models_;  ///< of the objectives after the first
};

/// Models of the earlier studies that the study names; null if there are none.
std::shared_ptr<const EarlierModels> make_earlier_models(const History& history);

}  // namespace betatune
