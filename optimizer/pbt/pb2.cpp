#include "optimizer/pbt/pb2.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "optimizer/evolution/mutation.hpp"

namespace betatune {
namespace {

constexpr std::size_t kRows = 100;  ///< of the latest gains; older ones are forgotten anyway
constexpr Eigen::Index kMoreThanNumbers = 2;
constexpr int kDraws = 512;
constexpr int kRounds = 8, kMoves = 48;  ///< of moves round the best place so far
constexpr double kFirstRadius = 0.2, kShrink = 0.5;

std::vector<std::string> names_where(const SearchSpace& space, const std::vector<std::string>& of,
                                     bool numbers) {
  std::vector<std::string> out;
  for (const Column& column : space.columns()) {
    const std::string& name = space.parameters()[column.parameter].name;
    const bool may_change = std::ranges::find(of, name) != of.end();
    if (may_change && Pb2::proposes(column) == numbers) out.push_back(name);
  }
  return out;
}

void append_row(const Eigen::VectorXd& row, RowMatrix& rows) {
  rows.conservativeResize(rows.rows() + 1, row.size());
  rows.row(rows.rows() - 1) = row.transpose();
}

void append_number(double number, Eigen::VectorXd& numbers) {
  numbers.conservativeResize(numbers.size() + 1);
  numbers[numbers.size() - 1] = number;
}

}  // namespace

Pb2::Pb2(SearchSpace space, const Options& options)
    : space_(std::move(space)),
      options_(options),
      by_chance_(space_, options.mutate, options.resample),
      choices_by_chance_(space_, names_where(space_, options.mutate, false), options.resample),
      with_numbers_(space_, names_where(space_, options.mutate, true), 0) {
  for (std::size_t j = 0; j < space_.columns().size(); ++j) {
    const Column& column = space_.columns()[j];
    const std::string& name = space_.parameters()[column.parameter].name;
    if (std::ranges::find(options.mutate, name) == options.mutate.end()) continue;
    inputs_.push_back(j);
    columns_.push_back(column);
    if (proposes(column)) numbers_.push_back(j);
  }
}

Eigen::VectorXd Pb2::inputs_of(const Eigen::VectorXd& point) const {
  Eigen::VectorXd out(std::ssize(inputs_));
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    out[static_cast<Eigen::Index>(i)] = point[static_cast<Eigen::Index>(inputs_[i])];
  }
  return out;
}

void Pb2::add_place(const Gains::Mark& mark, const Eigen::VectorXd& point,
                    GainPlaces& places) const {
  append_number(time_of(mark.step), places.times);
  append_number(mark.loss, places.losses);
  append_row(inputs_of(point), places.inputs);
}

GainData Pb2::data_of(const StudyState& state) const {
  GainData data;
  const std::vector<Gain>& made = gains_.made();
  const std::size_t first = made.size() > kRows ? made.size() - kRows : 0;
  for (std::size_t i = first; i < made.size(); ++i) {
    const Gain& each = made[i];
    const auto point = space_.try_encode(*state.trials[each.trial].configuration);
    if (!point) continue;  // of an earlier version of the space
    add_place({each.from, each.before}, *point, data.places);
    append_number(time_of(each.until - each.from), data.intervals);
    data.after.push_back(each.after);
  }
  return data;
}

/// Of members that train or are about to: their results will come, whatever is chosen now.
GainPlaces Pb2::pending(const StudyState& state) const {
  GainPlaces places;
  for (const std::set<TrialId>* trials : {&state.running, &state.waiting}) {
    for (const TrialId id : *trials) {
      const auto mark = gains_.mark_of(id);
      const auto point = space_.try_encode(*state.trials[id].configuration);
      if (mark && point) add_place(*mark, *point, places);
    }
  }
  return places;
}

Eigen::VectorXd Pb2::drawn(Eigen::VectorXd point, Stream& stream) const {
  for (const std::size_t j : numbers_) {
    point[static_cast<Eigen::Index>(j)] = space_.snap(j, stream.uniform());
  }
  return point;
}

Eigen::VectorXd Pb2::moved(Eigen::VectorXd point, double radius, Stream& stream) const {
  for (const std::size_t j : numbers_) {
    double& u = point[static_cast<Eigen::Index>(j)];
    u = space_.snap(j, std::clamp(u + radius * stream.normal(), 0.0, 1.0));
  }
  return point;
}

void Pb2::look_at(const GainModel& model, const Gains::Mark& from, double weight,
                  const std::vector<Eigen::VectorXd>& points, std::optional<Best>& best) const {
  GainPlaces places;
  places.inputs.resize(std::ssize(points), std::ssize(inputs_));
  std::vector<const Eigen::VectorXd*> feasible;
  for (const Eigen::VectorXd& each : points) {
    if (!space_.feasible(each)) continue;
    places.inputs.row(std::ssize(feasible)) = inputs_of(space_.canonical(each)).transpose();
    feasible.push_back(&each);
  }
  const Eigen::Index count = std::ssize(feasible);
  places.inputs.conservativeResize(count, Eigen::NoChange);
  places.times = Eigen::VectorXd::Constant(count, time_of(from.step));
  places.losses = Eigen::VectorXd::Constant(count, from.loss);
  const DriftProcess::Beliefs at = model.predict(places);
  const Eigen::VectorXd bounds = upper_bounds(at, weight);
  for (Eigen::Index i = 0; i < count; ++i) {
    if (best && bounds[i] <= best->bound) continue;
    const double variance = at.variance[i] + model.hyperparameters().place.noise;
    best = Best{*feasible[static_cast<std::size_t>(i)], bounds[i], at.mean[i], std::sqrt(variance)};
  }
}

/// Draws everywhere, then moves round the best place so far by ever less. By values alone: grids,
/// conditions and constraints are then no matter, and numbers need no more than a hundredth of
/// their range.
std::optional<Pb2::Best> Pb2::highest(const GainModel& model, const Gains::Mark& from,
                                      const Eigen::VectorXd& around, Key key) const {
  const double weight = ucb_weight(std::ssize(gains_.made()));
  std::optional<Best> best;
  Stream stream(key);
  std::vector<Eigen::VectorXd> points{around};
  for (int i = 0; i < kDraws; ++i) points.push_back(drawn(around, stream));
  look_at(model, from, weight, points, best);
  double radius = kFirstRadius;
  for (int round = 0; best && round < kRounds; ++round, radius *= kShrink) {
    points.clear();
    for (int i = 0; i < kMoves; ++i) points.push_back(moved(best->point, radius, stream));
    look_at(model, from, weight, points, best);
  }
  return best;
}

Pb2::Explored Pb2::explore(const StudyState& state, const Parent& parent, Key key) const {
  const Configuration& copied = *state.trials[parent.trial].configuration;
  const GainData data = data_of(state);
  const auto known = std::ranges::count_if(data.after, [](const auto& each) { return !!each; });
  const auto needed = std::ssize(numbers_) + kMoreThanNumbers;
  Explored out{{}, Json{{"intervals", known}}};
  if (known < needed) out.note["needed"] = needed;
  const auto loss = gains_.loss_at(parent.trial, parent.step);
  // The others move as they always do, and numbers are chosen to go with them.
  const Configuration base = choices_by_chance_.explore(copied, fold_in(key, "choices"));
  const auto around = space_.try_encode(base);
  if (known >= needed && loss && around) {
    GainModel model(columns_, data, Eigen::Index{2} * options_.population);
    const GainPlaces later = pending(state);
    if (later.size() > 0) model.append_pending(later);
    Stream stream(fold_in(key, "inactive"));
    const auto best = highest(model, {parent.step, *loss}, fill_inactive(space_, *around, stream),
                              fold_in(key, "numbers"));
    auto made = best ? with_numbers_.at(base, best->point) : std::nullopt;
    if (made) {
      out.configuration = *std::move(made);
      out.note["loss"] = model.loss_after(*loss, best->mean);
      out.note["loss_low"] = model.loss_after(*loss, best->mean + best->deviation);
      out.note["loss_high"] = model.loss_after(*loss, best->mean - best->deviation);
      return out;
    }
  }
  out.configuration = by_chance_.explore(copied, key);
  return out;
}

}  // namespace betatune
