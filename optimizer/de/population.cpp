#include "optimizer/de/population.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {
namespace {

constexpr double kPriorSuccesses = 5;

struct Note {
  std::size_t slot = 0;
  std::size_t parent = 0;
  double f = 0.5, cr = 0.5;
};

std::optional<Note> note_of(const Trial& trial, std::size_t size) {
  if (trial.origin != kDeOrigin || !trial.note || !trial.note->is_object()) return std::nullopt;
  const Json& note = *trial.note;
  const bool complete =
      note.contains("slot") && note.contains("parent") && note.contains("f") && note.contains("cr");
  if (!complete) return std::nullopt;
  const Note out{note["slot"].get<std::size_t>(), note["parent"].get<std::size_t>(),
                 note["f"].get<double>(), note["cr"].get<double>()};
  if (out.slot >= size) return std::nullopt;  // of a larger population
  return out;
}

/// NaN if the trial has no result.
double merit_of(const Observations& data, std::size_t trial) {
  const auto found = std::lower_bound(data.trials.begin(), data.trials.end(), trial);
  if (found == data.trials.end() || *found != trial) return std::nan("");
  return data.merits[found - data.trials.begin()];
}

/// `successes`: the latest ones.
void adapt(const std::vector<Note>& successes, DePopulation& to) {
  double f_sum = 0.5 * kPriorSuccesses, f_squares = 0.25 * kPriorSuccesses;
  double cr_sum = 0.5 * kPriorSuccesses;
  for (const Note& each : successes) {
    f_sum += each.f;
    f_squares += each.f * each.f;
    cr_sum += each.cr;
  }
  to.f = f_squares / f_sum;
  to.cr = cr_sum / (kPriorSuccesses + static_cast<double>(successes.size()));
}

}  // namespace

std::size_t DePopulation::next() const {
  const auto fewer = [](const Slot& a, const Slot& b) { return a.trials < b.trials; };
  return static_cast<std::size_t>(std::min_element(slots.begin(), slots.end(), fewer) -
                                  slots.begin());
}

std::vector<std::size_t> DePopulation::ranked(const Observations& data) const {
  std::vector<std::size_t> out;
  for (std::size_t s = 0; s < slots.size(); ++s) {
    if (slots[s].best) out.push_back(s);
  }
  std::stable_sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) {
    return data.merits[*slots[a].best] < data.merits[*slots[b].best];
  });
  return out;
}

DePopulation de_population(const History& history, const Observations& data, std::size_t size) {
  DePopulation out;
  out.slots.resize(size);
  std::vector<Note> successes;
  std::size_t without_note = 0, row = 0;
  for (const Trial& trial : history.trials) {
    if (trial.repeats) continue;
    const std::optional<Note> note = note_of(trial, size);
    DePopulation::Slot& slot = out.slots[note ? note->slot : without_note++ % size];
    ++slot.trials;
    while (row < data.trials.size() && data.trials[row] < trial.id.n) ++row;
    if (row == data.trials.size() || data.trials[row] != trial.id.n) continue;
    const auto at = static_cast<Eigen::Index>(row);
    const double merit = data.merits[at];
    if (std::isnan(merit)) continue;
    if (!slot.best || merit < data.merits[*slot.best]) slot.best = at;
    if (note && merit < merit_of(data, note->parent)) successes.push_back(*note);
  }
  const auto extra =
      std::max<std::ptrdiff_t>(0, std::ssize(successes) - static_cast<std::ptrdiff_t>(size));
  successes.erase(successes.begin(), successes.begin() + extra);
  adapt(successes, out);
  return out;
}

}  // namespace betatune
