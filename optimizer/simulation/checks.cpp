#include "optimizer/simulation/checks.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace betatune::simulation {

void Checks::broken(const std::string& what) {
  if (violations_.size() < 20) violations_.push_back(what);
}

void Checks::made(const Report& report) {
  const auto serial = report.metrics.find("serial");
  if (serial == report.metrics.end()) return;  // it only brings a checkpoint
  made_[serial->second] = Made{report.trial, report.attempt, report.seq, report.step, false};
}

void Checks::durable(std::span<const Event> events) {
  for (const Event& event : events) {
    const Json body = Json::parse(encode_fact(event.fact).dump());
    const auto read = decode_fact(fact_type(event.fact), body);
    if (!read) return broken("a fact cannot be read back: " + read.error().message);
    const Status applied = apply(replica_, Event{event.seq, event.at_us, read.value()});
    if (!applied) return broken("I5: the log does not fold: " + applied.error().message);
    std::visit([this](const auto& fact) { on(fact); }, event.fact);
  }
}

void Checks::live(const StudyState& state) {
  if (++looks_ % look_every_ != 0) return;
  if (state_hash(state) != state_hash(replica_)) {
    broken(fmt::format("I5: at event {} the live state is not what the log folds to", state.seq));
  }
}

Checks::Told* Checks::running(TrialId trial, AttemptId attempt, const char* what) {
  if (trial.n >= trials_.size()) {
    broken(fmt::format("{} for trial {}, which does not exist", what, trial.n));
    return nullptr;
  }
  Told& told = trials_[trial.n];
  if (told.running && told.attempts == attempt.n) return &told;
  broken(fmt::format("I3: {} for attempt {} of trial {}, which is not the current one", what,
                     attempt.n, trial.n));
  return nullptr;
}

void Checks::on(const TrialCreated& fact) {
  if (fact.trial.n != trials_.size()) broken(fmt::format("trial {} out of order", fact.trial.n));
  const bool may_repeat = fact.origin == kEnqueuedOrigin || fact.repeats || fact.parent;
  if (!configurations_.insert(fact.configuration).second && !may_repeat) {
    broken(fmt::format("trial {} repeats a configuration", fact.trial.n));
  }
  Told& told = trials_.emplace_back();
  if (fact.repeats) told.repeats = fact.repeats->n;
  told.confirms = fact.repeats && fact.origin == "confirm";
  if (fact.parent) copied(*fact.parent, fact.trial);
}

/// Who is replaced has a successor, one only, and never runs again.
void Checks::copied(const Parent& parent, TrialId by) {
  if (parent.trial >= by) return broken(fmt::format("trial {} is its own parent", by.n));
  if (!parent.replaces) return;
  if (*parent.replaces >= by) return broken(fmt::format("trial {} replaces nobody", by.n));
  Told& ends = trials_[parent.replaces->n];
  if (ends.running) broken(fmt::format("trial {} replaces one that runs", by.n));
  if (std::exchange(ends.replaced, true)) {
    broken(fmt::format("trial {} is replaced twice", parent.replaces->n));
  }
}

void Checks::on(const AttemptStarted& fact) {
  if (fact.trial.n >= trials_.size()) return broken("an attempt of an unknown trial");
  Told& told = trials_[fact.trial.n];
  if (told.running) broken(fmt::format("I3: trial {} has two current attempts", fact.trial.n));
  if (told.replaced) broken(fmt::format("trial {} starts although it is replaced", fact.trial.n));
  if (told.closed) broken(fmt::format("trial {} starts after its end", fact.trial.n));
  if (fact.attempt.n != told.attempts + 1) broken("attempt numbers are not 1, 2, 3 ...");
  if (fact.checkpoint && !published_.contains(fact.checkpoint->uri)) {
    broken(fmt::format("trial {} resumes from a checkpoint that nobody published", fact.trial.n));
  }
  if (fact.checkpoint && damaged_.contains(fact.checkpoint->uri)) {
    broken(fmt::format("trial {} resumes from a checkpoint that is damaged", fact.trial.n));
  }
  // After damage it may fall back to one that is removed by then, and further.
  if (files_ != nullptr && fact.checkpoint && damaged_.empty()) must_be_there(fact.checkpoint->uri);
  told.resumed_from = fact.checkpoint ? fact.checkpoint->uri : "";
  told.attempts = fact.attempt.n;
  told.running = true;
  told.trainer = fact.trainer;
  if (choices_.empty() == fact.width.has_value())
    broken("ranks are chosen where there is no choice");
  told.slots = fact.width ? fact.width->ranks : 1;
  if (fact.width && std::ranges::find(choices_, told.slots) == choices_.end()) {
    broken(fmt::format("trial {} gets {} ranks, which is no choice", fact.trial.n, told.slots));
  }
  busy_[fact.trainer] += told.slots;
  if (busy_[fact.trainer] > slots_[fact.trainer]) {
    broken(fmt::format("trainer `{}` has more attempts than slots", fact.trainer));
  }
  if (++running_now_ > parallel_) broken("more attempts at once than trials.parallel");
}

void Checks::on(const Reported& fact) {
  Told* told = running(fact.trial, fact.attempt, "a report");
  if (told == nullptr) return;
  if (fact.seq != ++told->reports[fact.attempt.n]) broken("reports are not dense");
  const auto serial = fact.metrics.find("serial");
  if (serial != fact.metrics.end()) {
    const auto found = made_.find(serial->second);
    if (found == made_.end()) return broken("the log has a report that no trainer made");
    Made& made = found->second;
    if (made.recorded) {
      broken(fmt::format("I2: report {} of trial {} counts twice", fact.seq, fact.trial.n));
    }
    made.recorded = true;
    if (made.trial != fact.trial || made.attempt != fact.attempt || made.seq != fact.seq ||
        made.step != fact.step) {
      broken(
          fmt::format("report {} of attempt {} of trial {} is recorded as report {} of attempt {}",
                      made.seq, made.attempt.n, made.trial.n, fact.seq, fact.attempt.n));
    }
  }
  if (fact.loss) told->losses[fact.step] = *fact.loss;
}

void Checks::on(const ReportConflicted& fact) {
  broken(fmt::format("trial {} is said to contradict itself, as no trainer here does",
                     fact.report.trial.n));
}

void Checks::on(const CheckpointSaved& fact) {
  running(fact.trial, fact.attempt, "a checkpoint");
  if (files_ != nullptr) must_be_there(fact.artifact.uri);
}

void Checks::must_be_there(const std::string& uri) {
  if (files_->is_damaged(uri)) return;
  if (const auto difference = files_->difference(uri)) broken("a checkpoint: " + *difference);
}

void Checks::begins_with(const ArtifactRef& artifact, const Contents& contents) {
  if (files_->is_made(artifact.uri, contents)) return;
  broken("an attempt begins with contents of " + artifact.uri + " that its trainer did not make");
}

void Checks::on(const Decided& fact) {
  if (Told* told = running(fact.trial, fact.attempt, "a decision")) {
    told->decided.insert({fact.attempt.n, fact.action});
  }
}

void Checks::on(const AttemptEnded& fact) {
  Told* told = running(fact.trial, fact.attempt, "an end");
  if (told == nullptr) return;
  told->running = false;
  busy_[told->trainer] -= told->slots;
  --running_now_;
  told->ended.insert(fact.attempt.n);
  lost_ += fact.end == AttemptEnd::lost ? 1 : 0;
  if (fact.failure == FailureClass::checkpoint) {
    damaged_.insert(told->resumed_from);
    if (files_ != nullptr && !files_->difference(told->resumed_from)) {
      broken(told->resumed_from + " is called damaged, and is whole");
    }
    if (fact.charged) broken(fmt::format("trial {} pays for a damaged checkpoint", fact.trial.n));
  }
  if (fact.end == AttemptEnd::lost || fact.end == AttemptEnd::failed) return;
  if (told->losses.empty()) return;
  const auto& [step, loss] = *told->losses.rbegin();
  told->standing = {std::min(step, replica_.full_budget), loss};
}

void Checks::on(const TrialClosed& fact) {
  if (fact.trial.n >= trials_.size()) return broken("the end of an unknown trial");
  Told& told = trials_[fact.trial.n];
  if (told.running) broken(fmt::format("trial {} closes while it runs", fact.trial.n));
  if (told.closed) broken(fmt::format("I2: trial {} closes twice", fact.trial.n));
  told.closed = true;
  told.excluded = fact.outcome == Outcome::failed || fact.outcome == Outcome::cancelled;
}

void Checks::sending(const Outgoing& outgoing) {
  if (const auto* assign = std::get_if<Assign>(&outgoing.message)) {
    const Told* told = assign->trial.n < trials_.size() ? &trials_[assign->trial.n] : nullptr;
    if (told == nullptr || told->attempts < assign->attempt.n) {
      return broken("ASSIGN before its AttemptStarted is durable");
    }
    const bool right = outgoing.to.starts_with(told->trainer + "#");
    if (told->attempts == assign->attempt.n && !right) broken("ASSIGN to another trainer");
    const bool as_wide = assign->job.slots == told->slots;
    if (told->attempts == assign->attempt.n && !as_wide) broken("ASSIGN of another width");
  } else if (const auto* ack = std::get_if<Ack>(&outgoing.message)) {
    if (ack->trial.n >= trials_.size()) return broken("ACK for an unknown trial");
    Told& told = trials_[ack->trial.n];
    if (told.reports[ack->attempt.n] < ack->seq) broken("I1: ACK of a report that is not durable");
    if (ack->done && !told.ended.contains(ack->attempt.n))
      broken("ACK of a DONE that is not durable");
  } else if (const auto* decision = std::get_if<Decision>(&outgoing.message)) {
    const bool known =
        decision->trial.n < trials_.size() &&
        trials_[decision->trial.n].decided.contains({decision->attempt.n, decision->action});
    if (!known) broken("DECISION that is not durable");
  } else if (const auto* refusal = std::get_if<Refusal>(&outgoing.message)) {
    if (refusal->code == "conflict" || refusal->code == "malformed" || refusal->fatal) {
      broken("an honest trainer is refused: " + refusal->code + ": " + refusal->message);
    }
  }
}

/// At the end of a study all trials are over: the mean over those of a configuration, or over those
/// that confirm it, at the highest step that any of them came to.
std::optional<Checks::Worth> Checks::worth(std::uint64_t first) const {
  std::map<std::pair<bool, Step>, std::vector<double>> losses;
  for (std::uint64_t n = first; n < trials_.size(); ++n) {
    const Told& told = trials_[n];
    if (told.repeats.value_or(n) != first || told.excluded || !told.standing) continue;
    losses[{told.confirms, told.standing->first}].push_back(told.standing->second);
  }
  if (losses.empty()) return std::nullopt;
  const auto& [kind, counted] = *losses.rbegin();
  double sum = 0;
  for (const double each : counted) sum += each;
  return Worth{kind, sum / static_cast<double>(counted.size())};
}

/// I8, from the raw reports alone.
void Checks::best(const StudyState& state) {
  std::optional<std::uint64_t> best;
  std::optional<Worth> other;
  for (std::uint64_t n = 0; n < trials_.size(); ++n) {
    if (trials_[n].repeats) continue;
    const std::optional<Worth> mine = worth(n);
    if (!mine) continue;
    const bool better = !other || mine->kind > other->kind ||
                        (mine->kind == other->kind && mine->loss < other->loss);
    if (!better) continue;
    best = n;
    other = mine;
  }
  const bool same = best ? state.best == TrialId{*best} : !state.best.has_value();
  if (!same) broken("I8: the best trial is not what the raw reports give");
}

void Checks::finished(const std::string& reason, const StudyState& state, std::int64_t asked_for) {
  const auto closed =
      std::count_if(trials_.begin(), trials_.end(), [](const Told& told) { return told.closed; });
  if (closed != std::ssize(trials_)) {
    broken(fmt::format("I4: {} of {} trials are closed at the end", closed, trials_.size()));
  }
  const auto created = std::count_if(trials_.begin(), trials_.end(),
                                     [](const Told& told) { return !told.confirms; });
  if (reason == "trials" ? created != asked_for : created > asked_for) {
    broken(fmt::format("I4: {} trials where {} were asked for ({})", created, asked_for, reason));
  }
  best(state);
}

}  // namespace betatune::simulation
