#pragma once
/// What trainers say in JSON, read strictly: a report is an object of numbers.

#include <string>
#include <string_view>

#include "searchspaces/outcome.hpp"

namespace betatune {

/// A flat or shallow JSON text (depth at most 8, size at most limits::kBodyBytes). The bare words
/// NaN, Infinity and -Infinity, which Python's json module writes, are read as those strings.
/// Errors: invalid_argument, with the place.
Result<Json> parse_trainer_json(std::string_view text);

/// An object of numbers; "NaN", "Infinity", "-Infinity" (any case, also "inf") and null (how many
/// writers spell NaN) are numbers too. Errors: invalid_argument naming the metric; more than
/// limits::kMetricsPerReport; a name longer than limits::kNameBytes.
Result<Metrics> metrics_from_json(const Json& json);
Result<Metrics> parse_metrics(std::string_view text);

/// Non-finite numbers as the strings "NaN", "Infinity", "-Infinity".
Json metrics_to_json(const Metrics& metrics);

/// Valid UTF-8 without control characters but tab and newline, cut to `bytes_max` with a mark.
std::string clean_text(std::string_view text, std::size_t bytes_max);

}  // namespace betatune
