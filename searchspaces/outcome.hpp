#pragma once
/// How work ends, and what it leaves behind: the words that the log, the wire and trainers share.

#include <cstdint>
#include <optional>
#include <string>

#include "searchspaces/schema.hpp"

namespace betatune {

/// Why an attempt failed. The class decides whether it is tried again (`trials.retry`) and whether
/// the search may learn from it: infrastructure failures say nothing about a configuration.
/// `checkpoint`: what it was to go on from is missing or damaged; the trial falls back to the
/// checkpoint before.
enum class FailureClass { user, oom, timeout, infra, diverged, checkpoint };
constexpr auto enum_names(FailureClass) {
  using enum FailureClass;
  return std::array{EnumName<FailureClass>{user, "user"},
                    EnumName<FailureClass>{oom, "oom"},
                    EnumName<FailureClass>{timeout, "timeout"},
                    EnumName<FailureClass>{infra, "infra"},
                    EnumName<FailureClass>{diverged, "diverged"},
                    EnumName<FailureClass>{checkpoint, "checkpoint"}};
}

/// How one attempt ended. `reached`: it trained to the step asked for. `stopped`: ended early for
/// good. `paused`: ended early, with a checkpoint. `lost`: its trainer died or was silent too long.
enum class AttemptEnd { reached, stopped, paused, failed, lost };
constexpr auto enum_names(AttemptEnd) {
  using enum AttemptEnd;
  return std::array{EnumName<AttemptEnd>{reached, "reached"},
                    EnumName<AttemptEnd>{stopped, "stopped"},
                    EnumName<AttemptEnd>{paused, "paused"}, EnumName<AttemptEnd>{failed, "failed"},
                    EnumName<AttemptEnd>{lost, "lost"}};
}

/// What a scheduler decides about a running trial. `pause` keeps a checkpoint, `stop` does not.
enum class Action { go_on, stop, pause };
constexpr auto enum_names(Action) {
  using enum Action;
  return std::array{EnumName<Action>{go_on, "continue"}, EnumName<Action>{stop, "stop"},
                    EnumName<Action>{pause, "pause"}};
}

/// A published folder of files: a checkpoint or a model.
struct ArtifactRef {
  std::string uri;  ///< path relative to the study's folder
  Step step = 0;
  std::uint64_t bytes = 0;
  /// Of its list of files (transport/sealed_folder.hpp); none: what it should be is not known.
  std::optional<std::string> digest = {};
  static constexpr auto fields() {
    return std::tuple{Field{"uri", &ArtifactRef::uri, "path relative to the study's folder"},
                      Field{"step", &ArtifactRef::step, "training step it holds"},
                      defaulted("bytes", &ArtifactRef::bytes, "size of all files"),
                      Field{"digest", &ArtifactRef::digest, "BLAKE2b-256 of its B2SUMS, in hex"}};
  }
  bool operator==(const ArtifactRef&) const = default;
};

using Metrics = std::map<std::string, double>;

}  // namespace betatune
