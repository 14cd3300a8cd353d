#include "optimizer/searchers/start_up.hpp"

#include <algorithm>
#include <iterator>

#include "optimizer/searchers/design.hpp"

namespace betatune {

StartUp::StartUp(const StudySpec& spec, std::int64_t otherwise)
    : count_(spec.algorithm.initial.count.value_or(otherwise)),
      random_(spec.algorithm.initial.design == "random") {}

int StartUp::due(const History& history, bool informed, int count) const {
  if (!informed || history.space().dims() == 0) return count;
  const auto spoken_for =
      std::ssize(history.queued) + static_cast<std::int64_t>(history.trials.size());
  return static_cast<int>(std::clamp<std::int64_t>(count_ - spoken_for, 0, count));
}

std::vector<Suggestion> StartUp::suggest(const History& history, const SeenTrials& seen,
                                         FreshBatch& batch, int count, Key key) const {
  std::vector<Suggestion> out;
  if (!random_) {
    if (history.trials.size() == 0 && history.queued.empty()) {
      if (auto centre = suggest_centre(history, batch, key)) out.push_back(std::move(*centre));
    }
    const int rest = count - static_cast<int>(out.size());
    std::ranges::move(suggest_sobol(history, seen, batch, rest, key), std::back_inserter(out));
    return out;
  }
  for (int i = 0; i < count; ++i) {
    std::optional<Configuration> drawn = batch.draw(fold_in(key, static_cast<std::uint64_t>(i)));
    if (!drawn) break;
    batch.take(*drawn);
    out.push_back({std::move(*drawn), "random", nullptr});
  }
  return out;
}

}  // namespace betatune
