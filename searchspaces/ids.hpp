#pragma once
/// Strong identifiers: a trial number cannot be passed where an attempt number is meant.

#include <compare>
#include <cstdint>
#include <string>

namespace betatune {

template <class Tag>
struct Id {
  std::uint64_t n = 0;
  auto operator<=>(const Id&) const = default;
};

/// Trials are numbered 0, 1, 2, ... within a study, in order of creation.
using TrialId = Id<struct TrialTag>;
/// Attempts of one trial are numbered 1, 2, 3, ...; 0 means "none yet". The number is the fence.
using AttemptId = Id<struct AttemptTag>;

/// A trainer's own name, unique in a roster, chosen by the trainer (host, process, random part).
using TrainerId = std::string;
/// Where a message came from: the ROUTER's routing id, opaque bytes, new at each connect.
using PeerId = std::string;
/// Position on the fidelity axis, in the study's unit (epochs, steps ...). 0 is "not begun".
using Step = std::int64_t;
/// Position in a study's log: 1, 2, 3, ...
using Sequence = std::uint64_t;

}  // namespace betatune
