#include "optimizer/cmaes/fold.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "optimizer/searchers/design.hpp"

namespace betatune {
namespace {

constexpr double kLargestPopulation = 1e5;
/// States that are kept: a straggler of an older generation costs a fold of the whole restart.
constexpr std::size_t kKept = 8;

std::optional<int> restart_of(const Trial& trial) {
  if (trial.origin != kCmaOrigin || !trial.note || !trial.note->is_object()) return std::nullopt;
  const auto found = trial.note->find("restart");
  if (found == trial.note->end() || !found->is_number_integer()) return std::nullopt;
  return found->get<int>();
}

/// The mean in the note of a restart's first trial. Nothing if the space had other coordinates.
std::optional<Eigen::VectorXd> noted_mean(const Trial& trial, Eigen::Index dims) {
  const auto found = trial.note->find("mean");
  if (found == trial.note->end() || !found->is_array() || std::ssize(*found) != dims) {
    return std::nullopt;
  }
  Eigen::VectorXd out(dims);
  for (Eigen::Index j = 0; j < dims; ++j) {
    const Json& each = (*found)[static_cast<std::size_t>(j)];
    if (!each.is_number()) return std::nullopt;
    out[j] = each.get<double>();
  }
  return out;
}

std::optional<Eigen::Index> best_row(const Observations& data) {
  std::optional<Eigen::Index> best;
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    if (std::isnan(data.losses[i])) continue;
    if (!best || data.merits[i] < data.merits[*best]) best = i;
  }
  return best;
}

}  // namespace

CmaFold::CmaFold(const SearchSpace& space, CmaSettings settings)
    : coordinates_(space), settings_(settings) {}

int CmaFold::population(int restart) const {
  const double grown = settings_.population * std::pow(settings_.growth, restart);
  return static_cast<int>(std::min(grown, kLargestPopulation));
}

CmaState CmaFold::state(int restart, Eigen::VectorXd mean) const {
  return CmaState(coordinates_, restart, population(restart), std::move(mean), settings_.sigma);
}

CmaState CmaFold::beginning(const History& history, const Observations& data, int restart) const {
  Eigen::VectorXd mean = Eigen::VectorXd::Constant(coordinates_.dims(), 0.5);
  for (Eigen::Index j = 0; j < mean.size(); ++j) {
    const ParzenAxis& axis = coordinates_.numbers()[static_cast<std::size_t>(j)];
    const auto& prior = history.space().columns()[axis.column()].prior;
    if (prior) mean[j] = prior->center;
  }
  if (restart > 0) {
    const Key key = fold_in(study_key(*history.spec), "cma-es restart");
    Stream stream(fold_in(key, static_cast<std::uint64_t>(restart)));
    for (double& each : mean) each = stream.uniform();
  } else if (const auto best = best_row(data)) {
    for (Eigen::Index j = 0; j < mean.size(); ++j) {
      const ParzenAxis& axis = coordinates_.numbers()[static_cast<std::size_t>(j)];
      const double u = data.points(*best, static_cast<Eigen::Index>(axis.column()));
      if (!is_inactive(u)) mean[j] = u;
    }
  }
  return state(restart, std::move(mean));
}

Json CmaFold::note(const CmaState& state, const CmaSample& sample,
                   const Eigen::VectorXd& point) const {
  Json out{{"restart", state.restart()}, {"generation", state.generation()}};
  if (Json untold = coordinates_.untold(sample, point); !untold.is_null()) {
    out["untold"] = std::move(untold);
  }
  // Where a restart begins may depend on results that came later: it is remembered.
  if (state.generation() == 0) {
    Json mean = Json::array();
    for (const double each : state.normal().mean()) mean.push_back(each);
    out["mean"] = std::move(mean);
  }
  return out;
}

CmaFold::Restart CmaFold::latest_restart(const History& history, const Observations& data) const {
  Restart out{-1, std::nullopt, {}};
  std::size_t row = 0;
  for (const Trial& trial : history.trials) {
    while (row < data.trials.size() && data.trials[row] < trial.id.n) ++row;
    const bool ended_with_result = row < data.trials.size() && data.trials[row] == trial.id.n;
    const std::optional<int> restart = restart_of(trial);
    if (!restart || *restart < out.number) continue;
    if (*restart > out.number) out = {*restart, noted_mean(trial, coordinates_.dims()), {}};
    if (ended_with_result) {
      out.entries.push_back({trial.id.n, static_cast<Eigen::Index>(row)});
    } else if (trial.state != TrialState::closed && trial.state != TrialState::paused) {
      out.entries.push_back({trial.id.n, std::nullopt});
    }
  }
  return out;
}

/// Those that change the distribution: the members that have ended, of one after the other.
std::vector<std::vector<CmaFold::Entry>> CmaFold::generations(const Restart& restart) const {
  const auto size = static_cast<std::size_t>(population(restart.number));
  const auto has_ended = [](const Entry& each) { return each.row.has_value(); };
  auto younger = static_cast<std::size_t>(
      std::count_if(restart.entries.begin(), restart.entries.end(), has_ended));
  std::vector<std::vector<Entry>> out;
  for (std::size_t begin = 0; begin + size <= restart.entries.size(); begin += size) {
    const auto first = restart.entries.begin() + static_cast<std::ptrdiff_t>(begin);
    std::vector<Entry> ended;
    std::copy_if(first, first + static_cast<std::ptrdiff_t>(size), std::back_inserter(ended),
                 has_ended);
    younger -= ended.size();
    if (ended.size() < size && younger < size) break;
    if (ended.size() >= 2) out.push_back(std::move(ended));
  }
  return out;
}

std::vector<CmaFold::Result> CmaFold::results(const History& history, const Observations& data,
                                              const std::vector<Entry>& generation) {
  std::vector<Result> out;
  for (const Entry& each : generation) {
    const double loss = data.merits[*each.row];
    out.push_back({history.trials[TrialId{each.trial}].configuration,
                   std::isnan(loss) ? std::numeric_limits<double>::infinity() : loss});
  }
  return out;
}

std::vector<CmaMember> CmaFold::members(const History& history, const Observations& data,
                                        const std::vector<Entry>& generation,
                                        const std::vector<Result>& results) const {
  std::vector<CmaMember> out;
  for (std::size_t i = 0; i < generation.size(); ++i) {
    const Entry& entry = generation[i];
    const Json& note = *history.trials[TrialId{entry.trial}].note;
    const auto untold = note.find("untold");
    out.push_back(
        {results[i].loss, coordinates_.sample_of(data.points.row(*entry.row).transpose(),
                                                 untold == note.end() ? Json() : *untold)});
  }
  return out;
}

CmaState CmaFold::fold(const History& history, const Observations& data) {
  const Restart restart = latest_restart(history, data);
  if (restart.number < 0) return beginning(history, data, 0);
  CmaState now = restart.mean ? state(restart.number, *restart.mean)
                              : beginning(history, data, restart.number);
  std::vector<double> begins(now.normal().mean().begin(), now.normal().mean().end());
  if (cached_restart_ != restart.number || cached_mean_ != begins) cached_.clear();
  cached_restart_ = restart.number;
  cached_mean_ = std::move(begins);

  const std::vector<std::vector<Entry>> all = generations(restart);
  std::vector<std::vector<Result>> wanted;
  for (const auto& each : all) wanted.push_back(results(history, data, each));
  std::size_t same = 0;
  while (same < cached_.size() && same < all.size() && cached_[same].results == wanted[same])
    ++same;
  cached_.resize(same);
  if (same > 0 && !cached_.back().after) cached_.clear();
  if (!cached_.empty()) now = *cached_.back().after;

  for (std::size_t g = cached_.size(); g < all.size() && !now.exhausted(); ++g) {
    now.update(coordinates_, members(history, data, all[g], wanted[g]));
    cached_.push_back({std::move(wanted[g]), now});
    if (cached_.size() > kKept) cached_[cached_.size() - 1 - kKept].after.reset();
  }
  if (now.exhausted()) return beginning(history, data, restart.number + 1);
  return now;
}

}  // namespace betatune
