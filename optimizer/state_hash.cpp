#include "optimizer/hash.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {
namespace {

template <class T>
void add(Hasher& hash, const std::optional<T>& value) {
  hash.add(std::uint64_t{value ? 1u : 0u});
  if (!value) return;
  if constexpr (std::is_enum_v<T>) {
    hash.add(static_cast<std::uint64_t>(*value));
  } else {
    hash.add(*value);
  }
}

void add(Hasher& hash, const std::optional<ArtifactRef>& artifact) {
  hash.add(std::uint64_t{artifact ? 1u : 0u});
  if (artifact) hash.add(std::string_view(artifact->uri)).add(artifact->step).add(artifact->bytes);
}

void add(Hasher& hash, const Metrics& metrics) {
  hash.add(static_cast<std::uint64_t>(metrics.size()));
  for (const auto& [name, number] : metrics) hash.add(std::string_view(name)).add(number);
}

void add(Hasher& hash, const Trial& trial) {
  hash.add(*trial.configuration).add(std::string_view(trial.origin));
  if (trial.note) hash.add(std::string_view(trial.note->dump()));
  hash.add(static_cast<std::uint64_t>(trial.state));
  add(hash, trial.outcome);
  hash.add(static_cast<std::uint64_t>(trial.observations.size()));
  for (const Observation& each : trial.observations) {
    hash.add(each.step).add(each.attempt.n).add(std::uint64_t{each.diverged ? 1u : 0u});
    add(hash, each.loss);
    for (const double slack : each.outcomes) hash.add(slack);
  }
  add(hash, trial.last_metrics);
  hash.add(trial.attempt.n).add(std::string_view(trial.trainer)).add(trial.last_seq);
  hash.add(trial.from).add(trial.until).add(trial.step);
  add(hash, trial.decided);
  hash.add(std::string_view(trial.decided_by)).add(std::uint64_t{trial.diverged ? 1u : 0u});
  add(hash, trial.last_end);
  add(hash, trial.last_failure);
  for (const auto& [failure, count] : trial.failures) {
    hash.add(static_cast<std::uint64_t>(failure)).add(static_cast<std::int64_t>(count));
  }
  add(hash, trial.checkpoint);
  if (trial.ranks > 0) hash.add(std::string_view("ranks")).add(std::int64_t{trial.ranks});
  hash.add(std::string_view(trial.resumed_from ? trial.resumed_from->uri : ""))
      .add(std::uint64_t{trial.at_rung ? 1u : 0u});
  for (const OlderCheckpoint& each : trial.older_checkpoints) {
    hash.add(std::string_view(each.artifact.uri)).add(std::uint64_t{each.of_rung ? 1u : 0u});
  }
  add(hash, trial.loss);
  hash.add(trial.loss_step);
  if (trial.standing) hash.add(trial.standing->level).add(trial.standing->loss);
  // What is trained once keeps the hashes of earlier versions.
  if (trial.repeats) hash.add(std::string_view("repeats")).add(trial.repeats->n);
  if (trial.parent) {
    hash.add(std::string_view("parent")).add(trial.parent->trial.n).add(trial.parent->step);
  }
  if (trial.replaced_by) hash.add(std::string_view("replaced")).add(trial.replaced_by->n);
  const bool of_a_group = trial.repeats || !trial.repeated_by.empty();
  if (of_a_group && trial.result) hash.add(trial.result->level).add(trial.result->loss);
  // Studies without outcome constraints keep the hashes of earlier versions.
  if (trial.outcomes.empty()) return;
  add(hash, trial.watched);
  for (const double slack : trial.outcomes) hash.add(slack);
  if (trial.standing) hash.add(trial.standing->violation);
}

void add(Hasher& hash, const std::set<TrialId>& ids) {
  hash.add(static_cast<std::uint64_t>(ids.size()));
  for (const TrialId id : ids) hash.add(id.n);
}

}  // namespace

std::uint64_t state_hash(const StudyState& state) {
  Hasher hash;
  hash.add(state.seq)
      .add(std::string_view(state.name))
      .add(std::string_view(state.document.dump()));
  hash.add(state.seed).add(state.epoch).add(state.full_budget).add(state.next_plan);
  hash.add(static_cast<std::uint64_t>(state.trials.size()));
  for (const Trial& trial : state.trials) add(hash, trial);
  for (const auto& each : state.earlier) {
    hash.add(std::string_view(each->study)).add(std::string_view(encode_json(*each).dump()));
  }
  hash.add(static_cast<std::uint64_t>(state.enqueued.size()));
  for (const Configuration& each : state.enqueued) hash.add(each);
  add(hash, state.waiting);
  add(hash, state.running);
  add(hash, state.paused);
  for (const auto& [outcome, count] : state.closed) {
    hash.add(static_cast<std::uint64_t>(outcome)).add(count);
  }
  hash.add(std::uint64_t{state.best ? state.best->n + 1 : 0});
  hash.add(std::string_view(state.closed_reason.value_or("")));
  for (const auto& [pair, compared] : state.rates.pairs()) {
    hash.add(std::int64_t{pair.first}).add(std::int64_t{pair.second});
    hash.add(compared.trials).add(compared.log_ratio);
  }
  // Studies without a budget of steps keep the hashes of earlier versions.
  if (state.document.contains(Json::json_pointer("/stopping/steps"))) hash.add(state.used.steps);
  return hash.value();
}

}  // namespace betatune
