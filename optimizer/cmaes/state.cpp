#include "optimizer/cmaes/state.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {
namespace {

constexpr double kNarrowest = 1e-11;  ///< deviation that is none; floats keep 12 digits of a range
constexpr double kCondition = 1e7;    ///< longest over shortest axis

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

CmaState::CmaState(const CmaCoordinates& coordinates, int restart, int population,
                   Eigen::VectorXd mean, double sigma)
    : restart_(restart),
      population_(population),
      normal_(std::move(mean), sigma),
      stretch_(coordinates.numbers().size(), 1),
      choices_(coordinates.choice_counts()) {
  keep_margins(coordinates);
}

CmaSample CmaState::draw(Stream& stream) const {
  CmaSample out;
  out.raw = normal_.draw(stream);
  out.moves = Eigen::VectorXd::Ones(normal_.dims());
  for (std::size_t p = 0; p < choices_.parameters(); ++p) {
    out.choices.push_back(static_cast<int>(choices_.draw(p, stream)));
  }
  return out;
}

void CmaState::update(const CmaCoordinates& coordinates, std::vector<CmaMember> members) {
  std::stable_sort(members.begin(), members.end(),
                   [](const CmaMember& a, const CmaMember& b) { return a.loss < b.loss; });
  RowMatrix points(std::ssize(members), normal_.dims());
  RowMatrix moves(points.rows(), points.cols());
  std::vector<std::vector<int>> chosen;
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    const CmaSample& sample = members[static_cast<std::size_t>(i)].sample;
    for (Eigen::Index j = 0; j < points.cols(); ++j) {
      const bool known = !std::isnan(sample.raw[j]);
      points(i, j) = known ? sample.raw[j] : normal_.mean()[j];
      moves(i, j) = known ? sample.moves[j] : 0;
    }
    chosen.push_back(sample.choices);
  }
  if (normal_.dims() > 0) normal_.update(points, moves);
  choices_.update(chosen);
  keep_margins(coordinates);
  ++generation_;
  bests_.push_back(members.front().loss);
  medians_.push_back(members[members.size() / 2].loss);
}

void CmaState::keep_margins(const CmaCoordinates& coordinates) {
  const auto all = static_cast<double>(coordinates.dims() + std::ssize(coordinates.choices()));
  for (std::size_t j = 0; j < stretch_.size(); ++j) {
    const auto at = static_cast<Eigen::Index>(j);
    const CellBorders borders = coordinates.borders(at, normal_.mean()[at]);
    if (!borders.low && !borders.high) continue;
    const double margin = 1 / (all * population_);
    const Margin kept =
        keep_margin({normal_.mean()[at], normal_.deviation(at), stretch_[j], borders, margin});
    normal_.move_mean(at, kept.mean);
    stretch_[j] = kept.stretch;
  }
}

bool CmaState::exhausted() const {
  if (normal_.dims() > 0) {
    double widest = 0;
    for (std::size_t j = 0; j < stretch_.size(); ++j) {
      widest = std::max(widest, stretch_[j] * normal_.deviation(static_cast<Eigen::Index>(j)));
    }
    if (widest < kNarrowest || normal_.condition() > kCondition) return true;
  }
  const double dims =
      static_cast<double>(normal_.dims()) + static_cast<double>(choices_.parameters());
  const auto span = static_cast<std::size_t>(10 + std::ceil(30 * dims / population_));
  if (bests_.size() < span) return false;
  const bool flat = std::all_of(bests_.end() - static_cast<std::ptrdiff_t>(span), bests_.end(),
                                [&](double each) { return each == bests_.back(); });
  return flat || stagnates();
}

/// Hansen's stagnation: over a fifth of all generations, at least 120 + 30 d / population of them,
/// neither the bests nor the medians of the last three tenths are better than those of the first.
bool CmaState::stagnates() const {
  const double dims = static_cast<double>(normal_.dims());
  const auto least = static_cast<std::size_t>(120 + 30 * dims / population_);
  const std::size_t span = std::max(least, bests_.size() / 5);
  if (bests_.size() < span) return false;
  const auto part = static_cast<std::ptrdiff_t>(3 * span / 10);
  const auto no_better = [&](const std::vector<double>& values) {
    const auto begin = values.end() - static_cast<std::ptrdiff_t>(span);
    return median_of({values.end() - part, values.end()}) >= median_of({begin, begin + part});
  };
  return no_better(bests_) && no_better(medians_);
}

}  // namespace betatune
