#pragma once
/// The JSON Schema of BTP/1: one definition per verb and per object inside of them, from the field
/// lists that encode and decode them, with the limits that a type alone cannot say.

#include <array>

#include "searchspaces/value.hpp"

namespace betatune {

/// Every `code` of an ERROR.
struct ErrorCode {
  const char* code;
  const char* meaning;
  const char* trainer;  ///< what the trainer does
};
inline constexpr std::array kErrorCodes{
    ErrorCode{"unknown_verb", "not a verb, or not one for an optimizer", "goes on"},
    ErrorCode{"malformed", "not readable, or a value out of bounds",
              "ends that attempt if one is named; exits if fatal (HELLO)"},
    ErrorCode{"not_welcome", "no HELLO of this connection is known",
              "connects afresh and says HELLO"},
    ErrorCode{"bad_token", "fatal: the token is not this study's", "exits"},
    ErrorCode{"bad_key", "fatal: the key is not allowed, or not to say this", "exits"},
    ErrorCode{"bad_version", "fatal: no common version", "exits"},
    ErrorCode{"too_many_slots", "fatal: slots out of bounds, or more than the key may offer",
              "exits"},
    ErrorCode{"stale_attempt", "the attempt is not current", "ends that work"},
    ErrorCode{"conflict", "another content under a recorded seq", "ends that work"},
    ErrorCode{"missing_reports", "DONE before all its reports", "offers reports and DONE again"},
};

/// What `betatune schema --protocol` prints: "$defs" has every verb by its name, with its
/// "x-direction", and the objects inside. Unknown keys are allowed: both sides ignore them.
Json protocol_schema();

}  // namespace betatune
