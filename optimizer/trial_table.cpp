#include <algorithm>
#include <tuple>

#include "optimizer/study_state.hpp"

namespace betatune {

bool Standing::before(const Standing& other) const {
  return std::tuple(!confirmed, -level, violation, loss) <
         std::tuple(!other.confirmed, -other.level, other.violation, other.loss);
}

bool stands_before(const Trial& a, const Trial& b) {
  if (*a.standing == *b.standing) return a.id < b.id;
  return a.standing->before(*b.standing);
}

const Observation* Trial::observed_at(Step at) const {
  const auto found =
      std::lower_bound(observations.begin(), observations.end(), at,
                       [](const Observation& each, Step wanted) { return each.step < wanted; });
  return found == observations.end() || found->step != at ? nullptr : &*found;
}

std::optional<double> Trial::loss_at(Step at) const {
  const Observation* found = observed_at(at);
  return found == nullptr ? std::nullopt : found->loss;
}

const ArtifactRef* Trial::rung_checkpoint() const {
  if (checkpoint && at_rung) return &*checkpoint;
  const auto newest = std::find_if(older_checkpoints.rbegin(), older_checkpoints.rend(),
                                   [](const OlderCheckpoint& each) { return each.of_rung; });
  return newest == older_checkpoints.rend() ? nullptr : &newest->artifact;
}

const Trial& TrialTable::operator[](TrialId id) const {
  BETATUNE_ASSERT(id.n < size_);
  return (*chunks_[id.n / kChunk])[id.n % kChunk];
}

Trial& TrialTable::edit(TrialId id) {
  BETATUNE_ASSERT(id.n < size_);
  auto& chunk = chunks_[id.n / kChunk];
  if (chunk.use_count() != 1) {
    chunk = std::make_shared<std::vector<Trial>>(*chunk);
  } else {
    // A snapshot may just have been dropped by a worker thread. use_count() is a relaxed read; this
    // copy and its release order that thread's last reads before the writes to come.
    const auto ordered = chunk;
  }
  return (*chunk)[id.n % kChunk];
}

void TrialTable::add(Trial trial) {
  BETATUNE_ASSERT(trial.id.n == size_);
  if (trial.repeats) ++repeats_;
  if (size_ % kChunk == 0) {
    chunks_.push_back(std::make_shared<std::vector<Trial>>());
    chunks_.back()->reserve(kChunk);
    chunks_.back()->push_back(std::move(trial));
    ++size_;
    return;
  }
  auto& chunk = chunks_.back();
  if (chunk.use_count() != 1) {
    auto copy = std::make_shared<std::vector<Trial>>();
    copy->reserve(kChunk);
    copy->assign(chunk->begin(), chunk->end());
    chunk = std::move(copy);
  } else {
    const auto ordered = chunk;  // as in edit()
  }
  chunk->push_back(std::move(trial));
  ++size_;
}

TrialTable TrialTable::prefix(std::size_t count) const {
  BETATUNE_ASSERT(count <= size_);
  TrialTable table;
  table.size_ = count;
  table.chunks_.assign(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(
                                                              (count + kChunk - 1) / kChunk));
  if (count % kChunk != 0) {
    auto& last = table.chunks_.back();
    auto cut = std::make_shared<std::vector<Trial>>();
    cut->reserve(kChunk);
    cut->assign(last->begin(), last->begin() + static_cast<std::ptrdiff_t>(count % kChunk));
    last = std::move(cut);
  }
  if (repeats_ > 0) {
    table.repeats_ = static_cast<std::size_t>(
        std::ranges::count_if(table, [](const Trial& each) { return each.repeats.has_value(); }));
  }
  return table;
}

}  // namespace betatune
