#include "trainers/metrics.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <optional>

#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

constexpr int kDepth = 8;

/// Walks over JSON text outside its strings: visit(position) returns how many bytes it consumed.
template <class F>
void outside_strings(std::string_view text, F visit) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size();) {
    if (quoted && text[i] == '\\') {
      i += 2;
    } else if (text[i] == '"') {
      quoted = !quoted;
      ++i;
    } else {
      i += quoted ? 1 : visit(i);
    }
  }
}

bool too_deep(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  outside_strings(text, [&](std::size_t i) {
    if (text[i] == '[' || text[i] == '{') deepest = std::max(deepest, ++depth);
    if (text[i] == ']' || text[i] == '}') --depth;
    return std::size_t{1};
  });
  return deepest > kDepth;
}

/// Puts quotes round bare NaN, Infinity and -Infinity.
std::string quote_bare_words(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  outside_strings(text, [&](std::size_t i) {
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (text.substr(i, word.size()) != word) continue;
      out.append(text.substr(copied, i - copied)).append("\"").append(word).append("\"");
      copied = i + word.size();
      return word.size();
    }
    return std::size_t{1};
  });
  return out.append(text.substr(copied));
}

std::optional<double> number_word(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool negative = !word.empty() && word[0] == '-';
  if (!word.empty() && (word[0] == '-' || word[0] == '+')) word.erase(0, 1);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (word == "inf" || word == "infinity") return negative ? -kInfinity : kInfinity;
  return std::nullopt;
}

Result<double> metric_number(const std::string& name, const Json& json) {
  if (json.is_number()) return json.get<double>();
  if (json.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (json.is_string()) {
    if (const auto number = number_word(json.get<std::string>())) return *number;
  }
  return Error{ErrorKind::invalid_argument, "metric `" + clean_text(name, 64) + "` is " +
                                                clean_text(json_text(json), 80) +
                                                ", expected a number"};
}

/// Bytes of the UTF-8 sequence that begins `text`, 0 if it is not valid.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  const unsigned char second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
      (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

}  // namespace

Result<Json> parse_trainer_json(std::string_view text) {
  if (text.size() > limits::kBodyBytes) {
    return Error{ErrorKind::invalid_argument, "JSON of " + std::to_string(text.size()) +
                                                  " bytes; at most " +
                                                  std::to_string(limits::kBodyBytes)};
  }
  if (too_deep(text)) {
    return Error{ErrorKind::invalid_argument, "JSON nested deeper than " + std::to_string(kDepth)};
  }
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) json = Json::parse(quote_bare_words(text), nullptr, false);
  if (json.is_discarded()) {
    return Error{ErrorKind::invalid_argument, "not JSON: " + clean_text(text, 80)};
  }
  return json;
}

Result<Metrics> metrics_from_json(const Json& json) {
  if (!json.is_object()) {
    return Error{ErrorKind::invalid_argument,
                 "metrics must be a JSON object of numbers, like {\"val_loss\": 0.31}"};
  }
  if (json.size() > limits::kMetricsPerReport) {
    return Error{ErrorKind::invalid_argument, std::to_string(json.size()) +
                                                  " metrics in one report; at most " +
                                                  std::to_string(limits::kMetricsPerReport)};
  }
  Metrics metrics;
  for (const auto& [name, value] : json.items()) {
    if (name.empty() || name.size() > limits::kNameBytes) {
      return Error{ErrorKind::invalid_argument, "metric name `" + clean_text(name, 64) +
                                                    "`: expected 1 to " +
                                                    std::to_string(limits::kNameBytes) + " bytes"};
    }
    BETATUNE_TRY(metrics[name], metric_number(name, value));
  }
  return metrics;
}

Result<Metrics> parse_metrics(std::string_view text) {
  BETATUNE_TRY(const Json json, parse_trainer_json(text));
  return metrics_from_json(json);
}

Json metrics_to_json(const Metrics& metrics) {
  Json json = Json::object();
  for (const auto& [name, number] : metrics) {
    if (std::isnan(number)) {
      json[name] = "NaN";
    } else if (std::isinf(number)) {
      json[name] = number > 0 ? "Infinity" : "-Infinity";
    } else {
      json[name] = number;
    }
  }
  return json;
}

std::string clean_text(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kCut = " ...";
  std::string out;
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const bool control = length == 1 && static_cast<unsigned char>(text[0]) < 0x20 &&
                         text[0] != '\n' && text[0] != '\t';
    const std::string_view piece =
        length == 0 || control || text[0] == '\x7f' ? "?" : text.substr(0, length);
    if (out.size() + piece.size() > bytes_max) {
      while (out.size() + kCut.size() > bytes_max && !out.empty()) {
        const bool tail = (static_cast<unsigned char>(out.back()) & 0xC0u) == 0x80u;
        out.pop_back();
        // A cut never leaves half a character.
        while (tail && !out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0u) == 0x80u) {
          out.pop_back();
        }
        if (tail && !out.empty()) out.pop_back();
      }
      return bytes_max >= kCut.size() ? out.append(kCut) : out;
    }
    out.append(piece);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace betatune
