#include "optimizer/verify.hpp"

#include <bit>
#include <fmt/format.h>
#include <set>

namespace betatune {
namespace {

bool same_bits(const Value& a, const Value& b) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  if (x == nullptr || y == nullptr) return a == b;
  return std::bit_cast<std::uint64_t>(*x) == std::bit_cast<std::uint64_t>(*y);
}

std::string exact_text(const Configuration& configuration, const std::string& name) {
  const auto found = configuration.find(name);
  if (found == configuration.end()) return "not active";
  const auto* number = std::get_if<double>(&found->second);
  if (number == nullptr) return to_text(found->second);
  return fmt::format("{:a} ({})", *number, to_text(found->second));
}

std::set<std::string> names_of(const Configuration& a, const Configuration& b) {
  std::set<std::string> names;
  for (const auto& [name, value] : a) names.insert(name);
  for (const auto& [name, value] : b) names.insert(name);
  return names;
}

/// Follows the log, and asks again where it was asked.
class Verifier {
 public:
  Verifier(const PlanLedger& ledger, const SpecOfDocument& spec_of)
      : replay_(spec_of), next_(ledger.plans.begin()), end_(ledger.plans.end()) {}

  Status take(const Event& event) {
    BETATUNE_CHECK(replay_.apply(event));
    Status asked = Ok{};
    for (; asked && next_ != end_ && next_->first.first == event.seq; ++next_) {
      asked = replay_.at(next_->second, [this](const ReplayedPlan& plan) { compare(plan); });
    }
    return asked;
  }
  const Verification& result() const { return out_; }

 private:
  void compare(const ReplayedPlan& plan) {
    const std::vector<Suggestion> answers = plan.answer();
    for (const TrialCreated& trial : plan.logged.trials) {
      std::optional<Difference> difference = difference_of(trial, answers);
      ++(difference ? out_.differing : out_.verified);
      if (difference && !out_.first) out_.first = std::move(difference);
    }
    replay_.answered(answers);
  }

  PlanReplay replay_;
  decltype(PlanLedger::plans)::const_iterator next_, end_;
  Verification out_;
};

}  // namespace

std::optional<Difference> difference_of(const TrialCreated& recorded,
                                        const std::vector<Suggestion>& answers) {
  Difference out{recorded.trial, *recorded.plan, "", false, "", ""};
  const std::uint64_t index = recorded.basis->index;
  if (index >= answers.size()) {
    out.what = "suggestion";
    out.recorded = fmt::format("number {} of the answers", index);
    out.recomputed = fmt::format("{} answers", answers.size());
    return out;
  }
  const Suggestion& again = answers[static_cast<std::size_t>(index)];
  for (const std::string& name : names_of(recorded.configuration, again.configuration)) {
    const auto was = recorded.configuration.find(name);
    const auto is = again.configuration.find(name);
    const bool both = was != recorded.configuration.end() && is != again.configuration.end();
    if (both && same_bits(was->second, is->second)) continue;
    out.what = name;
    out.parameter = true;
    out.recorded = exact_text(recorded.configuration, name);
    out.recomputed = exact_text(again.configuration, name);
    return out;
  }
  if (recorded.origin != again.origin) {
    out.what = "origin";
    out.recorded = recorded.origin;
    out.recomputed = again.origin;
    return out;
  }
  // As they are stored: the text of a double holds all of its bits.
  if (json_text(recorded.note) == json_text(again.note)) return std::nullopt;
  out.what = "note";
  out.recorded = json_text(recorded.note);
  out.recomputed = json_text(again.note);
  return out;
}

Result<Verification> verify(const StudyStore& store, const PlanLedger& ledger,
                            const SpecOfDocument& spec_of) {
  Verifier verifier(ledger, spec_of);
  BETATUNE_CHECK(for_each_event(store, ledger.events,
                                [&](const Event& event) { return verifier.take(event); }));
  return verifier.result();
}

}  // namespace betatune
