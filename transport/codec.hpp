#pragma once
/// Messages to and from frames: "BTP1", verb, body (one JSON object). Decoding never throws and
/// never trusts: sizes, depth, keys and duplicate keys are limited (searchspaces/limits.hpp).

#include <string>
#include <vector>

#include "transport/message.hpp"

namespace betatune {

/// Frames without the routing id.
using Frames = std::vector<std::string>;

Frames encode_message(const Message& message);
/// Errors: invalid_argument, its message beginning with the protocol's error code
/// ("unknown_verb: ...", "malformed: ...").
Result<Message> decode_message(const Frames& frames);
/// What the sender of frames that cannot be decoded is told. Fatal for a HELLO: its sender would
/// say it again for ever.
Refusal refusal_of(const Error& error, const Frames& frames);

}  // namespace betatune
