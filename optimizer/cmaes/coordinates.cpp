#include "optimizer/cmaes/coordinates.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {
namespace {

double place(const Eigen::Ref<const Eigen::VectorXd>& point, const ParzenAxis& axis) {
  return point[static_cast<Eigen::Index>(axis.column())];
}

}  // namespace

CmaCoordinates::CmaCoordinates(const SearchSpace& space) : dims_(space.dims()) {
  std::vector<ParzenAxis> axes;
  for (std::size_t column = 0; column < space.columns().size(); ++column) {
    axes.emplace_back(space, column);
  }
  std::sort(axes.begin(), axes.end(),
            [](const ParzenAxis& a, const ParzenAxis& b) { return a.name() < b.name(); });
  for (const ParzenAxis& axis : axes) {
    if (axis.levels() == 1) continue;
    (axis.kind() == ParzenAxis::Kind::choice ? choices_ : numbers_).push_back(axis);
  }
}

std::vector<std::size_t> CmaCoordinates::choice_counts() const {
  std::vector<std::size_t> counts;
  for (const ParzenAxis& axis : choices_) counts.push_back(axis.levels());
  return counts;
}

CellBorders CmaCoordinates::borders(Eigen::Index coordinate, double mean) const {
  const ParzenAxis& axis = numbers_[static_cast<std::size_t>(coordinate)];
  if (axis.kind() == ParzenAxis::Kind::line) return {};
  const Cell cell = axis.cell(axis.snap(std::clamp(mean, 0.0, 1.0)));
  CellBorders out;
  if (cell.low > 0) out.low = cell.low;
  if (cell.high < 1) out.high = cell.high;
  return out;
}

Eigen::VectorXd CmaCoordinates::point(const CmaSample& sample, const Eigen::VectorXd& mean,
                                      const std::vector<double>& stretch) const {
  Eigen::VectorXd out = Eigen::VectorXd::Constant(dims_, 0.5);
  for (std::size_t j = 0; j < numbers_.size(); ++j) {
    const auto at = static_cast<Eigen::Index>(j);
    double u = sample.raw[at];
    if (numbers_[j].kind() == ParzenAxis::Kind::grid) u = mean[at] + stretch[j] * (u - mean[at]);
    out[static_cast<Eigen::Index>(numbers_[j].column())] =
        numbers_[j].snap(std::clamp(u, 0.0, 1.0));
  }
  for (std::size_t p = 0; p < choices_.size(); ++p) {
    const auto count = static_cast<double>(choices_[p].levels());
    out[static_cast<Eigen::Index>(choices_[p].column())] =
        choices_[p].snap((sample.choices[p] + 0.5) / count);
  }
  return out;
}

bool CmaCoordinates::inside(const CmaSample& sample) const {
  for (std::size_t j = 0; j < numbers_.size(); ++j) {
    const double u = sample.raw[static_cast<Eigen::Index>(j)];
    if (numbers_[j].kind() == ParzenAxis::Kind::line && (u < 0 || u > 1)) return false;
  }
  return true;
}

void CmaCoordinates::reflect(CmaSample& sample) const {
  for (std::size_t j = 0; j < numbers_.size(); ++j) {
    if (numbers_[j].kind() != ParzenAxis::Kind::line) continue;
    double& u = sample.raw[static_cast<Eigen::Index>(j)];
    // Mirrors at 0 and 1 for ever: a wave of period two.
    const double phase = std::abs(u) - 2 * std::floor(std::abs(u) / 2);
    u = std::clamp(phase > 1 ? 2 - phase : phase, 0.0, 1.0);
  }
}

Json CmaCoordinates::untold(const CmaSample& sample, const Eigen::VectorXd& point) const {
  Json out;
  for (std::size_t j = 0; j < numbers_.size(); ++j) {
    const bool told =
        numbers_[j].kind() == ParzenAxis::Kind::line && !is_inactive(place(point, numbers_[j]));
    if (!told) out[numbers_[j].name()] = sample.raw[static_cast<Eigen::Index>(j)];
  }
  return out;
}

CmaSample CmaCoordinates::sample_of(const Eigen::Ref<const Eigen::VectorXd>& point,
                                    const Json& untold) const {
  CmaSample out;
  out.raw.resize(dims());
  out.moves.resize(dims());
  for (std::size_t j = 0; j < numbers_.size(); ++j) {
    const auto at = static_cast<Eigen::Index>(j);
    const double u = place(point, numbers_[j]);
    out.moves[at] = is_inactive(u) ? 0 : 1;
    out.raw[at] = u;
    if (!untold.is_object()) continue;
    const auto noted = untold.find(numbers_[j].name());
    if (noted != untold.end() && noted->is_number()) out.raw[at] = noted->get<double>();
  }
  for (const ParzenAxis& axis : choices_) {
    const double u = place(point, axis);
    const double cell = std::floor(u * static_cast<double>(axis.levels()));
    out.choices.push_back(is_inactive(u) ? -1 : static_cast<int>(cell));
  }
  return out;
}

}  // namespace betatune
