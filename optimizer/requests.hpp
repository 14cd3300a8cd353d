#pragma once
/// Wishes that other processes leave in the store (`betatune enqueue`, `betatune stop`), to and
/// from the coordinator's inputs.

#include "optimizer/coordinator.hpp"
#include "optimizer/store.hpp"

namespace betatune {

namespace request_kinds {
inline constexpr const char* kEnqueue = "enqueue";       ///< {"params": {name: value}}
inline constexpr const char* kStopTrial = "stop_trial";  ///< {"trial": n}
inline constexpr const char* kDrain = "drain";           ///< {}
}  // namespace request_kinds

/// Errors: invalid_argument for an unknown kind, or a configuration that the space (which may have
/// changed since) refuses.
Result<Input> input_of(const StoredRequest& request, const SearchSpace& space);

}  // namespace betatune
