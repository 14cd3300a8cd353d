#include "trainers/command/placeholders.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

namespace betatune {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
  });
}

/// Nothing if the argument names a value that is not there.
std::optional<std::string> fill(const std::string& text, const Placeholders& values) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const bool doubled = i + 1 < text.size() && text[i] == text[i + 1];
    if (doubled && (text[i] == '{' || text[i] == '}')) {
      out += text[i];
      i += 2;
      continue;
    }
    const std::size_t close = text[i] == '{' ? text.find('}', i) : std::string::npos;
    if (close == std::string::npos ||
        !is_name(std::string_view(text).substr(i + 1, close - i - 1))) {
      out += text[i++];
      continue;
    }
    const auto value = values.find(text.substr(i + 1, close - i - 1));
    if (value == values.end()) return std::nullopt;
    out += value->second;
    i = close + 1;
  }
  return out;
}

}  // namespace

std::vector<std::string> fill_placeholders(const std::vector<std::string>& command,
                                           const Placeholders& values) {
  std::vector<std::string> argv;
  for (const std::string& each : command) {
    if (auto argument = fill(each, values)) argv.push_back(std::move(*argument));
  }
  return argv;
}

std::string parameter_variable(const std::string& parameter) {
  std::string name = "BETATUNE_PARAM_";
  for (const char c : parameter) {
    const auto byte = static_cast<unsigned char>(c);
    name += std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_';
  }
  return name;
}

}  // namespace betatune
