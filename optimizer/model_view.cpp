#include "optimizer/model_view.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "optimizer/gp/acquisition.hpp"
#include "optimizer/gp/loss_scale.hpp"
#include "optimizer/local/trust_region.hpp"
#include "optimizer/scheduler.hpp"
#include "optimizer/searchers/gp_core.hpp"

namespace betatune {
namespace {

constexpr std::size_t kRivals = 3;
constexpr int kLookedAt = 64;  ///< candidates, many of which are the same place again
/// How far one coordinate of another place is away, at least: in the unit cube, or in length-scales
/// where the parameter hardly matters.
constexpr double kApart = 0.02;

GpOptions options_of(const StudySpec& spec) {
  GpOptions options;
  const ConfigNode& node = spec.algorithm.searcher.options;
  Diagnostics problems;  // the searcher has been made from the same options
  if (!node.is_null()) read_config(node, Searcher::kOptionsPath, problems, options);
  return options;
}

std::optional<Value> value_of(const Configuration& configuration, const std::string& name) {
  const auto found = configuration.find(name);
  if (found == configuration.end()) return std::nullopt;
  return found->second;
}

bool apart(const Eigen::VectorXd& a, const Eigen::VectorXd& b, const Eigen::VectorXd& lengths) {
  for (Eigen::Index j = 0; j < a.size(); ++j) {
    if (is_inactive(a[j]) != is_inactive(b[j])) return true;
    if (is_inactive(a[j])) continue;
    if (std::abs(a[j] - b[j]) > kApart * std::max(1.0, lengths[j])) return true;
  }
  return false;
}

/// The model that the searcher had, built again beside it.
class Desk {
 public:
  Desk(const ReplayedPlan& plan, const std::vector<Suggestion>& answers, std::size_t index)
      : plan_(plan),
        space_(plan.history.space()),
        own_(answers[index]),
        index_(index),
        core_(*plan.history.spec, options_of(*plan.history.spec)),
        data_(core_.observe(plan.history)) {
    if (data_.finite == 0) return;
    for (std::size_t i = 0; i < index; ++i) before_.push_back(answers[i].configuration);
    round_.emplace(core_.begin(plan.history, data_));
    gp_ = &round_->gp();
    for (const Configuration& each : before_) round_->pend(space_.encode(each).transpose());
    scale_.emplace(data_.results().values, core_.model().bend());
  }

  ModelView view() const {
    ModelView out;
    out.results = data_.finite;
    out.failures = data_.size() - data_.finite;
    out.pending = data_.pending.rows() + std::ssize(before_);
    const Eigen::VectorXd point = space_.encode(own_.configuration);
    const Eigen::Index best_row = round_->best_row();
    const Eigen::VectorXd incumbent = data_.points.row(best_row).transpose();
    out.incumbent = TrialId{data_.trials[static_cast<std::size_t>(best_row)]};
    out.expected = expect(point);
    out.at_incumbent = expect(incumbent);
    out.any_feasible = round_->has_feasible();
    if (out.any_feasible) {
      out.log_ei = round_->improvement()->value(point.transpose(), nullptr)[0];
    }
    out.log_feasible = round_->log_feasible(point);
    if (const auto success = Feasibility::learn(gp_->map(), data_)) {
      out.log_success = success->value(point.transpose(), nullptr)[0];
    }
    if (own_.origin == "gp") out.rivals = rivals(point);
    out.parameters = parameters(point, incumbent, out);
    out.log_prior = round_->log_prior(point);
    if (const EarlierTrend* trend = core_.model().trend()) {
      for (Eigen::Index s = 0; s < trend->weights().size(); ++s) {
        // In units of this study's standardized outputs.
        out.earlier[trend->models().names()[static_cast<std::size_t>(s)]] =
            trend->weights()[s] / core_.model().output_scale();
      }
    }
    out.noise = gp_->hyperparameters().noise;
    out.amplitude = gp_->hyperparameters().amplitude;
    const double shift = core_.model().bend().shift;
    out.transform = shift == 0 ? "a power, standardized"
                               : fmt::format(
                                     "the logarithm of what is above the lowest, plus {:g} "
                                     "of the median's distance from it",
                                     shift);
    return out;
  }
  bool informed() const { return round_.has_value(); }

 private:
  Expectation expect(const Eigen::VectorXd& point) const {
    const Prediction at = gp_->predict(gp_->map().map(point.transpose()), false);
    const double mean = at.mean[0];
    const double deviation = std::sqrt(at.variance[0]);
    const auto loss = [&](double y) { return scale_->loss_at(y / core_.model().output_scale()); };
    return {mean, deviation, loss(mean), loss(mean - deviation), loss(mean + deviation)};
  }

  /// The same search under the same key, with what it found before struck out one after another.
  std::vector<Rival> rivals(const Eigen::VectorXd& point) const {
    FreshBatch batch = core_.batch(plan_.history);
    for (const Configuration& each : before_) batch.take(each);
    const Key key = fold_in(fold_in(plan_.key, searcher_name(*plan_.history.spec)), index_);
    std::vector<Proposer::Found> all;
    for (int i = 0; i < kLookedAt; ++i) {
      auto found = round_->propose(key, batch);
      if (!found) break;
      batch.take(found->configuration);
      // The first is the choice itself; if it is not, this is not the search that chose it.
      if (i == 0 && found->configuration != own_.configuration) break;
      all.push_back(*std::move(found));
    }
    std::ranges::stable_sort(all, [](const auto& a, const auto& b) { return a.value > b.value; });
    std::vector<Rival> out;
    std::vector<Eigen::VectorXd> places = {point};
    const Eigen::VectorXd lengths = gp_->lengthscales_at(point);
    for (const Proposer::Found& found : all) {
      const auto is_apart = [&](const auto& each) { return apart(each, found.point, lengths); };
      if (out.size() == kRivals || !std::ranges::all_of(places, is_apart)) continue;
      places.push_back(found.point);
      out.push_back({found.configuration, found.value, expect(found.point)});
    }
    return out;
  }

  std::vector<ParameterView> parameters(const Eigen::VectorXd& point,
                                        const Eigen::VectorXd& incumbent,
                                        const ModelView& view) const {
    std::vector<ParameterView> out;
    const Configuration& best = *plan_.history.trials[view.incumbent].configuration;
    const Eigen::VectorXd lengths = gp_->lengthscales_at(point);
    for (std::size_t j = 0; j < space_.columns().size(); ++j) {
      const auto column = static_cast<Eigen::Index>(j);
      ParameterView each;
      each.name = space_.parameters()[space_.columns()[j].parameter].name;
      each.value = value_of(own_.configuration, each.name);
      each.incumbent = value_of(best, each.name);
      each.lengthscale = lengths[column];
      each.warp = gp_->map().warps()[j];
      if (each.value && each.incumbent && *each.value != *each.incumbent) {
        Eigen::VectorXd back = point;
        back[column] = incumbent[column];
        const Expectation there = expect(space_.canonical(back));
        each.mean_change = view.expected.mean - there.mean;
        each.deviation_change = view.expected.deviation - there.deviation;
      }
      out.push_back(std::move(each));
    }
    return out;
  }

  const ReplayedPlan& plan_;
  const SearchSpace& space_;
  const Suggestion& own_;
  std::size_t index_;
  GpCore core_;
  Observations data_;
  std::vector<Configuration> before_;  ///< answers of the same plan that came before this one
  const GaussianProcess* gp_ = nullptr;
  std::optional<GpRound> round_;
  std::optional<LossScale> scale_;
};

}  // namespace

std::optional<ModelView> view_model(const ReplayedPlan& plan,
                                    const std::vector<Suggestion>& answers, std::size_t index) {
  const std::string& origin = answers[index].origin;
  if (origin != "gp" && origin != kLocalOrigin) return std::nullopt;
  // What is told is about one model; several objectives have one each.
  if (plan.history.spec->objectives.size() > 1) return std::nullopt;
  const Desk desk(plan, answers, index);
  if (!desk.informed()) return std::nullopt;
  return desk.view();
}

}  // namespace betatune
