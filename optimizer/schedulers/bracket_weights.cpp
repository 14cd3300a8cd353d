#include "optimizer/schedulers/bracket_weights.hpp"

#include <algorithm>
#include <numeric>

#include "optimizer/gp/model.hpp"
#include "optimizer/gp/posterior_samples.hpp"
#include "optimizer/numerics/normal_quantile.hpp"
#include "optimizer/numerics/rows.hpp"
#include "optimizer/schedulers/brackets.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kRows = 64;  ///< of a model, and of the trials that it has to rank
constexpr int kFitEvaluations = 25;
constexpr Eigen::Index kFolds = 5;
constexpr Eigen::Index kLeastOfFold = 2;

/// What was measured at one rung.
struct RungData {
  RowMatrix points;
  Eigen::VectorXd scores;
};

/// Normal scores of the ranks, equal results in the middle of their places: only the order is asked
/// for, so a far outlier must not flatten the model of everything else.
Eigen::VectorXd normal_scores(std::span<const RungMeasurement> measured,
                              std::span<const Eigen::Index> rows) {
  const auto key = [&](std::size_t i) {
    const RungMeasurement& each = measured[static_cast<std::size_t>(rows[i])];
    return std::pair(each.violation, each.loss);
  };
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, key);
  Eigen::VectorXd out(std::ssize(rows));
  const auto n = static_cast<double>(rows.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && key(order[end]) == key(order[begin])) ++end;
    const double score = normal_quantile(static_cast<double>(begin + end) / 2 / n);
    for (; begin < end; ++begin) out[static_cast<Eigen::Index>(order[begin])] = score;
  }
  return out;
}

RungData data_of(std::span<const RungMeasurement> measured, const RowMatrix& points,
                 std::size_t rung) {
  std::vector<Eigen::Index> rows;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (measured[i].rung == rung) rows.push_back(static_cast<Eigen::Index>(i));
  }
  const Eigen::VectorXd scores = normal_scores(measured, rows);
  const std::vector<Eigen::Index> kept = choose_rows(scores, kRows);
  return {pick_rows(pick_rows(points, rows), kept), pick_values(scores, kept)};
}

class RungModel {
 public:
  RungModel(const FeatureMap& map, std::span<const Column> columns, const RungData& data)
      : map_(map), columns_(columns), data_(data) {
    const RowMatrix features = map.map(data.points);
    const Training training{map, features};
    const Hyperparameters start = most_probable_starts(training, data.scores)[0].at;
    at_ = fit_hyperparameters(training, data.scores, start, kFitEvaluations).at;
  }

  /// Functions drawn from the posterior, at the points of another rung: one column each.
  RowMatrix draws_at(const RowMatrix& points, Key key) const { return draws(data_, points, key); }
  /// The same at its own points, each left out with the others of its fold.
  RowMatrix draws_left_out(Key key) const {
    const Eigen::Index n = data_.scores.size();
    const Eigen::Index folds = std::min(kFolds, n / kLeastOfFold);
    RowMatrix out(n, kRankingDraws);
    for (Eigen::Index fold = 0; fold < folds; ++fold) {
      std::vector<Eigen::Index> left_out, kept;
      for (Eigen::Index i = 0; i < n; ++i) (i % folds == fold ? left_out : kept).push_back(i);
      const RungData others{pick_rows(data_.points, kept), pick_values(data_.scores, kept)};
      const RowMatrix drawn = draws(others, pick_rows(data_.points, left_out), key);
      for (std::size_t i = 0; i < left_out.size(); ++i) {
        out.row(left_out[i]) = drawn.row(static_cast<Eigen::Index>(i));
      }
    }
    return out;
  }

 private:
  RowMatrix draws(const RungData& data, const RowMatrix& points, Key key) const {
    PosteriorSamples samples(map_, columns_, at_, data.points, data.scores);
    samples.draw(kRankingDraws, key);
    return samples.at(points).rightCols(kRankingDraws);
  }

  const FeatureMap& map_;
  std::span<const Column> columns_;
  const RungData& data_;
  Hyperparameters at_;
};

}  // namespace

int ranking_loss(const Eigen::Ref<const Eigen::VectorXd>& predicted,
                 const Eigen::Ref<const Eigen::VectorXd>& measured) {
  BETATUNE_ASSERT(predicted.size() == measured.size());
  int loss = 0;
  for (Eigen::Index j = 0; j < measured.size(); ++j) {
    for (Eigen::Index k = 0; k < measured.size(); ++k) {
      loss += (predicted[j] < predicted[k]) != (measured[j] < measured[k]) ? 1 : 0;
    }
  }
  return loss;
}

std::vector<double> shares_of_lowest(const RowMatrix& losses) {
  Eigen::VectorXd shares = Eigen::VectorXd::Zero(losses.rows());
  for (Eigen::Index draw = 0; draw < losses.cols(); ++draw) {
    const auto of_draw = losses.col(draw).array();
    const Eigen::VectorXd lowest = (of_draw == of_draw.minCoeff()).cast<double>().matrix();
    shares += lowest / lowest.sum();
  }
  shares /= static_cast<double>(losses.cols());
  return {shares.begin(), shares.end()};
}

std::vector<double> hyperband_shares(std::size_t rungs, double eta) {
  std::vector<double> shares(rungs);
  double total = 0;
  for (std::size_t number = 0; number < rungs; ++number) {
    const BracketPlan plan = hyperband_bracket(number, rungs, eta);
    shares[plan.first] = static_cast<double>(plan.trials);
    total += shares[plan.first];
  }
  for (double& each : shares) each /= total;
  return shares;
}

std::vector<double> bracket_weights(std::span<const double> theta, std::span<const Step> levels,
                                    std::vector<double> otherwise) {
  BETATUNE_ASSERT(theta.size() <= levels.size());
  BETATUNE_ASSERT(otherwise.size() == levels.size());
  double learned = 0, share = 0;
  for (std::size_t i = 0; i < theta.size(); ++i) {
    learned += theta[i] / static_cast<double>(levels[i]);
    share += otherwise[i];
  }
  for (std::size_t i = 0; i < theta.size(); ++i) {
    otherwise[i] = share * (theta[i] / static_cast<double>(levels[i])) / learned;
  }
  return otherwise;
}

std::size_t draw_rung(std::span<const double> weights, double uniform) {
  double cumulated = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    cumulated += weights[i];
    if (weights[i] > 0) last = i;
    if (uniform < cumulated) return i;
  }
  return last;  // rounding may leave the sum just short of one
}

std::size_t modelled_rungs(std::span<const std::size_t> counts) {
  const auto few = std::ranges::find_if(counts, [](std::size_t n) { return n < kLeastMeasured; });
  return static_cast<std::size_t>(few - counts.begin());
}

std::vector<double> rung_reliability(const FeatureMap& map, std::span<const Column> columns,
                                     std::span<const RungMeasurement> measured,
                                     const RowMatrix& points, Key key) {
  std::vector<std::size_t> counts;
  for (const RungMeasurement& each : measured) {
    counts.resize(std::max(counts.size(), each.rung + 1));
    ++counts[each.rung];
  }
  const std::size_t rungs = modelled_rungs(counts);
  if (rungs < 2) return {};
  const std::size_t top = rungs - 1;
  const RungData ranked = data_of(measured, points, top);
  RowMatrix losses(static_cast<Eigen::Index>(rungs), kRankingDraws);
  for (std::size_t rung = 0; rung < rungs; ++rung) {
    const RungData data = data_of(measured, points, rung);
    const RungModel model(map, columns, data);
    const Key own = fold_in(key, rung);
    const RowMatrix drawn =
        rung == top ? model.draws_left_out(own) : model.draws_at(ranked.points, own);
    for (Eigen::Index draw = 0; draw < kRankingDraws; ++draw) {
      losses(static_cast<Eigen::Index>(rung), draw) = ranking_loss(drawn.col(draw), ranked.scores);
    }
  }
  return shares_of_lowest(losses);
}

}  // namespace betatune
