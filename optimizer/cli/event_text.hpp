#pragma once
/// Events of a study as `betatune run` and `betatune watch` tell of them.

#include <optional>
#include <string>
#include <vector>

#include "configs/study_spec.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {

/// Columns of a configuration in a line about an event.
inline constexpr std::size_t kConfigurationWidth = 120;

/// "lr=0.001 layers=3", cut to `width` columns.
std::string configuration_text(const Configuration& configuration, std::size_t width);
/// ", breaks peak_mem_gib <= 70"; empty if it breaks nothing.
std::string broken_text(const StudyState& state, const Trial& trial);
/// The first line of what may have several.
std::string first_line(const std::string& text);

/// {"schema": "betatune.event/1", ...}
Json event_json(const Event& event);

/// One line for the ends of trials, attempts and the study; empty for other events.
class EventText {
 public:
  /// step: what one is called, if the study has a fidelity.
  EventText(std::vector<ObjectiveSpec> objectives, std::optional<std::string> step)
      : objectives_(std::move(objectives)), step_(std::move(step)) {}

  /// `state` has the event.
  std::string operator()(const Event& event, const StudyState& state);

 private:
  std::string on(const TrialClosed& closed, const StudyState& state);

  std::vector<ObjectiveSpec> objectives_;
  std::optional<std::string> step_;
  std::optional<TrialId> announced_;  ///< as the best
};

}  // namespace betatune
