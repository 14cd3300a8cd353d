#include "optimizer/searchers/start_up.hpp"

#include <algorithm>
#include <iterator>

#include "optimizer/searchers/design.hpp"
#include "optimizer/searchers/earlier_best.hpp"

namespace betatune {

namespace {

constexpr std::int64_t kLeastBesideEarlier = 3;

std::int64_t default_count(const StudySpec& spec, std::int64_t otherwise) {
  const int earlier = earlier_trials(spec);
  if (earlier == 0) return otherwise;
  // Points that are not the best of earlier studies show whether these say anything.
  const std::int64_t others = otherwise == 0 ? 0 : kLeastBesideEarlier;
  return std::max(earlier + others, (otherwise + 1) / 2);
}

}  // namespace

StartUp::StartUp(const StudySpec& spec, std::int64_t otherwise)
    : count_(spec.algorithm.initial.count.value_or(default_count(spec, otherwise))),
      random_(spec.algorithm.initial.design == "random"),
      earlier_(static_cast<std::size_t>(earlier_trials(spec))) {}

int StartUp::due(const History& history, bool informed, int count) const {
  if (!informed || history.space().dims() == 0) return count;
  const auto spoken_for =
      std::ssize(history.queued) + static_cast<std::int64_t>(history.trials.configurations());
  return static_cast<int>(std::clamp<std::int64_t>(count_ - spoken_for, 0, count));
}

std::vector<Suggestion> StartUp::suggest(const History& history, const SeenTrials& seen,
                                         FreshBatch& batch, int count, Key key) const {
  std::vector<Suggestion> out;
  const std::size_t before = seen.count_of(kEarlierOrigin);
  while (std::ssize(out) < count && before + out.size() < earlier_) {
    auto next = suggest_earlier(history, batch, before + out.size());
    if (!next) break;
    out.push_back(*std::move(next));
  }
  const bool first = out.empty() && history.trials.size() == 0 && history.queued.empty();
  if (first && !random_) {
    if (auto centre = suggest_centre(history, batch, key)) out.push_back(std::move(*centre));
  }
  const int rest = count - static_cast<int>(out.size());
  auto others = random_ ? suggest_random(history, batch, rest, key)
                        : suggest_sobol(history, seen, batch, rest, key);
  std::ranges::move(others, std::back_inserter(out));
  return out;
}

}  // namespace betatune
