#pragma once
/// Facts straight from the JSON text that we wrote, without a tree in between: a resume reads
/// hundreds of thousands of them.

#include <optional>
#include <string_view>

#include "optimizer/event.hpp"

namespace betatune {

/// The fact, or nothing for any text that is not exactly as encode_fact(...).dump() writes it: the
/// caller then takes the general way (Json::parse, decode_fact), which knows every form and says
/// what is wrong. What this accepts, that way accepts too, with the same result.
std::optional<Fact> read_fact_text(std::string_view type, std::string_view body);

}  // namespace betatune
