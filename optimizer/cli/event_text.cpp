#include "optimizer/cli/event_text.hpp"

#include <fmt/format.h>

#include "optimizer/cli/output.hpp"

namespace betatune {
namespace {

std::string end_text(const AttemptEnded& ended) {
  if (ended.end != AttemptEnd::lost && ended.end != AttemptEnd::failed) return {};
  return fmt::format("trial {} attempt {} {}{}{}", ended.trial.n, ended.attempt.n,
                     to_name(ended.end), ended.message.empty() ? "" : ": ",
                     first_line(ended.message));
}

}  // namespace

std::string configuration_text(const Configuration& configuration, std::size_t width) {
  std::string text;
  for (const auto& [name, value] : configuration) {
    const auto* real = std::get_if<double>(&value);
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name,
                        real != nullptr ? fmt::format("{:.4g}", *real) : to_text(value));
  }
  if (text.size() > width) text = text.substr(0, width > 3 ? width - 3 : 0) + "...";
  return text;
}

std::string broken_text(const StudyState& state, const Trial& trial) {
  const std::vector<std::string> broken = state.outcomes.broken(trial.outcomes);
  return broken.empty() ? std::string() : fmt::format(", breaks {}", fmt::join(broken, ", "));
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

Json event_json(const Event& event) {
  return Json{{"schema", "betatune.event/1"},
              {"seq", event.seq},
              {"at_us", event.at_us},
              {"type", fact_type(event.fact)},
              {"body", encode_fact(event.fact)}};
}

std::string EventText::operator()(const Event& event, const StudyState& state) {
  if (const auto* closed = std::get_if<TrialClosed>(&event.fact)) return on(*closed, state);
  if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) return end_text(*ended);
  if (const auto* done = std::get_if<StudyClosed>(&event.fact)) {
    return fmt::format("study closed: {}", done->reason);
  }
  return {};
}

std::string EventText::on(const TrialClosed& closed, const StudyState& state) {
  const Trial& trial = state.trials[closed.trial];
  std::string text = fmt::format("trial {} {}", closed.trial.n, to_name(closed.outcome));
  if (closed.loss) {
    text += ": " + values_text(objectives_, state.outcomes.losses(*closed.loss, trial.outcomes));
    if (step_) text += fmt::format(" at {} {}", *step_, trial.loss_step);
    text += broken_text(state, trial);
  }
  const TrialId counted = trial.repeats.value_or(closed.trial);
  if (objectives_.size() == 1 && state.best == counted && announced_ != counted) {
    announced_ = counted;
    text += "  (new best)";
  }
  if (closed.outcome == Outcome::failed && !trial.message.empty()) {
    text += ": " + first_line(trial.message);
  }
  return text + "  " + configuration_text(*trial.configuration, kConfigurationWidth);
}

}  // namespace betatune
