#include "trainers/torch/distributed/asynchronous/server_core.hpp"

#include <algorithm>

#include "trainers/trainer.hpp"

namespace betatune::distributed::asynchronous {
namespace {

[[noreturn]] void refuse(int worker, const std::string& problem) {
  throw plugin::Failure(BETATUNE_ERROR,
                        "parameter server: rank " + std::to_string(worker) + " " + problem);
}

}  // namespace

ServerCore::ServerCore(const Strategy& strategy, Layers centre, int workers,
                       std::optional<std::uint64_t> staleness_bound)
    : workers_(workers),
      bound_(staleness_bound),
      centre_(std::move(centre)),
      versions_(centre_.size(), 0) {
  for (const auto& layer : centre_) rules_.push_back(strategy.server(layer.size()));
  for (int worker = 0; worker < workers; ++worker) active_.insert(worker);
}

std::uint64_t ServerCore::last_sequence(int worker) const {
  const auto found = sequences_.find(worker);
  return found == sequences_.end() ? 0 : found->second;
}

void check_shape(const Push& push, const Sizes& sizes, int workers, std::uint64_t last) {
  if (push.worker < 0 || push.worker >= workers) {
    refuse(push.worker, "is not one of the " + std::to_string(workers) + " workers");
  }
  if (push.values.size() != sizes.size() || push.bases.size() != sizes.size()) {
    refuse(push.worker, "pushes " + std::to_string(push.values.size()) +
                            " layers; this server has " + std::to_string(sizes.size()));
  }
  if (push.sequence == 0 || push.sequence > last + 1) {
    refuse(push.worker, "sends push " + std::to_string(push.sequence) + " after push " +
                            std::to_string(last) + ": one in between is lost");
  }
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    if (push.values[k].size() != sizes[k]) {
      refuse(push.worker, "pushes " + std::to_string(push.values[k].size()) +
                              " elements of layer " + std::to_string(k) + ", which has " +
                              std::to_string(sizes[k]));
    }
  }
}

void ServerCore::check(const Push& push) const {
  check_shape(push, sizes(), workers_, last_sequence(push.worker));
  for (std::size_t k = 0; k < centre_.size(); ++k) {
    if (push.bases[k] > versions_[k]) {
      refuse(push.worker, "computed from version " + std::to_string(push.bases[k]) + " of layer " +
                              std::to_string(k) + ", which is at version " +
                              std::to_string(versions_[k]) +
                              "; was this server restored from an older state?");
    }
  }
}

ServiceReport ServerCore::report() const {
  return {versions_, staleness_.mean(), staleness_.max(), rejected_, centre_};
}

Answer ServerCore::answer_of(std::uint64_t sequence, bool accepted, const Layers& centre) const {
  Answer answer{sequence, accepted, versions_, {}, &centre == &centre_};
  for (const auto& layer : centre) answer.centre.emplace_back(layer);
  return answer;
}

void ServerCore::pull(const AnswerTo& answer) {
  answer(answer_of(0, true, centre_));
}

void ServerCore::push(const Push& push, AnswerTo answer) {
  join(push.worker);
  if (is_repeated(push)) {
    const auto owed = pending_.find(push.worker);
    if (owed != pending_.end() && owed->second.sequence == push.sequence) {
      owed->second.answer = std::move(answer);
      answer_those_who_may_go();
    } else {
      answer(answer_of(push.sequence, true, centre_));
    }
    return;
  }
  sequences_[push.worker] = push.sequence;
  ++clocks_[push.worker];
  Layers before;
  if (!rules_.empty() && rules_[0]->answers_before()) before = centre_;
  auto& owed = pending_[push.worker] = {push.sequence, ++arrivals_, {}, true, std::move(answer)};
  std::vector<std::size_t> closed;
  for (std::size_t k = 0; k < centre_.size(); ++k) {
    const std::uint64_t staleness = versions_[k] - push.bases[k];
    const auto outcome = rules_[k]->apply(centre_[k], push.values[k], {push.worker, staleness});
    if (outcome == Outcome::rejected) {
      owed.accepted = false;
      ++rejected_;
      continue;
    }
    staleness_.add(staleness);
    if (outcome == Outcome::waits) owed.layers.insert(k);
    if (outcome == Outcome::applied) closed.push_back(k);
  }
  for (const std::size_t k : closed) round_closed(k);
  if (!before.empty() && !too_far_ahead(push.worker)) {
    // Elastic averaging never waits for a round, so the answer is due now.
    const auto now = pending_.extract(push.worker);
    if (now.mapped().answer) now.mapped().answer(answer_of(push.sequence, true, before));
  }
  answer_those_who_may_go();
}

void ServerCore::round_closed(std::size_t layer) {
  ++versions_[layer];
  for (auto& [worker, owed] : pending_) owed.layers.erase(layer);
}

bool ServerCore::too_far_ahead(int worker) const {
  if (!bound_) return false;
  const auto clock = [&](int who) {
    const auto found = clocks_.find(who);
    return found == clocks_.end() ? 0 : found->second;
  };
  std::uint64_t slowest = clock(worker);
  for (const int other : active_) slowest = std::min(slowest, clock(other));
  return clock(worker) > slowest + *bound_;
}

void ServerCore::answer_those_who_may_go() {
  std::vector<std::pair<std::uint64_t, int>> ready;  // in the order of arrival
  for (const auto& [worker, owed] : pending_) {
    if (owed.answer && owed.layers.empty() && !too_far_ahead(worker)) {
      ready.emplace_back(owed.order, worker);
    }
  }
  std::sort(ready.begin(), ready.end());
  for (const auto& [order, worker] : ready) {
    const auto owed = pending_.extract(worker);
    const auto& pending = owed.mapped();
    pending.answer(answer_of(pending.sequence, pending.accepted, centre_));
  }
}

void ServerCore::leave(int worker) {
  if (active_.erase(worker) == 0) return;
  pending_.erase(worker);
  for (std::size_t k = 0; k < centre_.size(); ++k) {
    if (rules_[k]->leave(centre_[k], worker)) round_closed(k);
  }
  answer_those_who_may_go();
}

void ServerCore::join(int worker) {
  if (!active_.insert(worker).second) return;
  std::optional<std::uint64_t> slowest;
  for (const int other : active_) {
    if (other != worker) slowest = std::min(slowest.value_or(clocks_[other]), clocks_[other]);
  }
  clocks_[worker] = std::max(clocks_[worker], slowest.value_or(0));
  for (auto& rule : rules_) rule->join(worker);
}

void ServerCore::forget_answer(int worker) {
  const auto owed = pending_.find(worker);
  if (owed != pending_.end()) owed->second.answer = nullptr;
}

void ServerCore::save(Writer& out) const {
  out.number(static_cast<std::uint64_t>(centre_.size()));
  for (std::size_t k = 0; k < centre_.size(); ++k) {
    out.number(versions_[k]).floats(centre_[k]);
    rules_[k]->save(out);
  }
  for (const auto* table : {&sequences_, &clocks_}) {
    out.number(static_cast<std::uint64_t>(table->size()));
    for (const auto& [worker, value] : *table) {
      out.number(static_cast<std::int32_t>(worker)).number(value);
    }
  }
  out.number(static_cast<std::uint64_t>(active_.size()));
  for (const int worker : active_) out.number(static_cast<std::int32_t>(worker));
  out.number(arrivals_).number(rejected_);
  out.number(static_cast<std::uint64_t>(pending_.size()));
  for (const auto& [worker, owed] : pending_) {
    out.number(static_cast<std::int32_t>(worker)).number(owed.sequence).number(owed.order);
    out.number(static_cast<std::uint8_t>(owed.accepted));
    out.number(static_cast<std::uint64_t>(owed.layers.size()));
    for (const auto layer : owed.layers) out.number(static_cast<std::uint64_t>(layer));
  }
  staleness_.save(out);
}

void ServerCore::load(Reader& in) {
  if (in.number<std::uint64_t>() != centre_.size()) throw Garbled("another number of layers");
  for (std::size_t k = 0; k < centre_.size(); ++k) {
    versions_[k] = in.number<std::uint64_t>();
    in.floats(centre_[k]);
    rules_[k]->load(in);
  }
  for (auto* table : {&sequences_, &clocks_}) {
    table->clear();
    for (auto left = in.number<std::uint64_t>(); left > 0; --left) {
      const auto worker = in.number<std::int32_t>();
      (*table)[worker] = in.number<std::uint64_t>();
    }
  }
  active_.clear();
  for (auto left = in.number<std::uint64_t>(); left > 0; --left) {
    active_.insert(in.number<std::int32_t>());
  }
  arrivals_ = in.number<std::uint64_t>();
  rejected_ = in.number<std::uint64_t>();
  pending_.clear();
  for (auto left = in.number<std::uint64_t>(); left > 0; --left) {
    auto& owed = pending_[in.number<std::int32_t>()];
    owed.sequence = in.number<std::uint64_t>();
    owed.order = in.number<std::uint64_t>();
    owed.accepted = in.number<std::uint8_t>() != 0;
    for (auto layers = in.number<std::uint64_t>(); layers > 0; --layers) {
      owed.layers.insert(static_cast<std::size_t>(in.number<std::uint64_t>()));
    }
  }
  staleness_.load(in);
}

}  // namespace betatune::distributed::asynchronous
