#include "configs/read.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "configs/planned.hpp"

namespace betatune {
namespace {

using Kind = ConfigNode::Kind;

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array kTimeUnits = {Unit{"ms", 1e-3}, Unit{"s", 1}, Unit{"m", 60}, Unit{"h", 3600},
                                   Unit{"d", 86'400}};
constexpr std::array kSizeUnits = {Unit{"B", 1},
                                   Unit{"kB", 1e3},
                                   Unit{"MB", 1e6},
                                   Unit{"GB", 1e9},
                                   Unit{"TB", 1e12},
                                   Unit{"KiB", 1024.0},
                                   Unit{"MiB", 1024.0 * 1024},
                                   Unit{"GiB", 1024.0 * 1024 * 1024},
                                   Unit{"TiB", 1024.0 * 1024 * 1024 * 1024}};

constexpr const char* kDurationHelp = "write a number and a unit: 500ms, 30s, 10m, 48h or 7d";
constexpr const char* kSizeHelp = "write a number and a unit: 512MiB, 64GiB or 2GB";

template <std::size_t N>
Result<double> parse_quantity(std::string_view text, const std::array<Unit, N>& units,
                              const char* help) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  const auto found =
      std::find_if(units.begin(), units.end(), [&](const Unit& each) { return each.name == unit; });
  const bool fine = error == std::errc{} && found != units.end() && std::isfinite(number) &&
                    !std::signbit(number) && std::isfinite(number * found->factor);
  if (!fine) {
    return Error{ErrorKind::invalid_argument, "`" + std::string(text) + "`: " + help};
  }
  return number * found->factor;
}

std::string shown(const ConfigNode& node) {
  const bool scalar =
      node.kind() != Kind::null && node.kind() != Kind::sequence && node.kind() != Kind::mapping;
  std::string text = scalar ? node.text() : std::string();
  constexpr std::size_t kLongest = 40;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  std::replace(text.begin(), text.end(), '\n', ' ');
  return std::string(node.describe()) + (scalar ? " (`" + text + "`)" : "");
}

std::string type_help(const ConfigNode& node, std::string_view expected) {
  if (expected == "a string" && node.kind() != Kind::null && !node.text().empty()) {
    return "quote it: \"" + node.text() + "\"";
  }
  if (node.kind() != Kind::string) return {};
  const std::string& text = node.text();
  const bool yes = text == "yes" || text == "on" || text == "Yes" || text == "On";
  const bool no = text == "no" || text == "off" || text == "No" || text == "Off";
  if (expected == "true or false" && (yes || no)) return yes ? "write true" : "write false";
  double number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error == std::errc{} && end == last) return "remove the quotes";
  return {};
}

bool wrong(const ConfigNode& node, const std::string& path, const char* expected,
           Diagnostics& diagnostics) {
  read_detail::wrong_kind(node, path, expected, diagnostics);
  return false;
}

bool out_of_range(const ConfigNode& node, const std::string& path, const std::string& range,
                  Diagnostics& diagnostics) {
  diagnostics.error("E0105", "`" + path + "` must be " + range + ", found " + node.text(),
                    node.mark());
  return false;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  BETATUNE_TRY(const double seconds, parse_quantity(text, kTimeUnits, kDurationHelp));
  // 10,000 years: what fits every clock type with room to spare.
  if (seconds > 3.2e11) {
    return Error{ErrorKind::invalid_argument,
                 "`" + std::string(text) + "`: longer than 10,000 years"};
  }
  return Duration{seconds};
}

Result<ByteSize> parse_byte_size(std::string_view text) {
  BETATUNE_TRY(const double bytes, parse_quantity(text, kSizeUnits, kSizeHelp));
  if (bytes >= 9.2e18) {
    return Error{ErrorKind::invalid_argument, "`" + std::string(text) + "`: more than 8 EiB"};
  }
  return ByteSize{static_cast<std::uint64_t>(std::llround(bytes))};
}

namespace read_detail {

bool scalar(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics, bool& into) {
  if (node.kind() != Kind::boolean) return wrong(node, path, "true or false", diagnostics);
  into = std::get<bool>(node.value());
  return true;
}

bool scalar(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
            std::int64_t& into) {
  if (node.kind() != Kind::integer) return wrong(node, path, "an integer", diagnostics);
  into = std::get<std::int64_t>(node.value());
  return true;
}

bool scalar(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics, int& into) {
  std::int64_t wide = 0;
  if (!scalar(node, path, diagnostics, wide)) return false;
  if (!std::in_range<int>(wide)) {
    return out_of_range(node, path, "between -2147483648 and 2147483647", diagnostics);
  }
  into = static_cast<int>(wide);
  return true;
}

bool scalar(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
            std::uint64_t& into) {
  std::int64_t wide = 0;
  if (!scalar(node, path, diagnostics, wide)) return false;
  if (wide < 0) return out_of_range(node, path, "0 or more", diagnostics);
  into = static_cast<std::uint64_t>(wide);
  return true;
}

bool scalar(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
            double& into) {
  if (node.kind() == Kind::integer) {
    into = static_cast<double>(std::get<std::int64_t>(node.value()));
    return true;
  }
  if (node.kind() != Kind::real) return wrong(node, path, "a number", diagnostics);
  into = std::get<double>(node.value());
  return true;
}

bool scalar(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
            std::string& into) {
  if (node.kind() != Kind::string) return wrong(node, path, "a string", diagnostics);
  into = node.text();
  return true;
}

bool scalar(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
            Duration& into) {
  if (node.kind() != Kind::string) {
    diagnostics.error("E0107", "`" + path + "` must be a length of time, found " + shown(node),
                      node.mark(), kDurationHelp);
    return false;
  }
  const auto duration = parse_duration(node.text());
  if (!duration) {
    diagnostics.error("E0107", "`" + path + "` must be a length of time, found " + shown(node),
                      node.mark(), kDurationHelp);
    return false;
  }
  into = duration.value();
  return true;
}

bool scalar(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
            ByteSize& into) {
  const auto size =
      node.kind() == Kind::string ? parse_byte_size(node.text()) : Error{ErrorKind::not_found, {}};
  if (!size) {
    diagnostics.error("E0107", "`" + path + "` must be a size, found " + shown(node), node.mark(),
                      kSizeHelp);
    return false;
  }
  into = size.value();
  return true;
}

bool scalar(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
            Value& into) {
  if (node.is_null() || node.kind() == Kind::sequence || node.kind() == Kind::mapping) {
    return wrong(node, path, "a number, a word or true/false", diagnostics);
  }
  into = node.value();
  return true;
}

void bad_enum(const ConfigNode& node, const std::string& path,
              const std::vector<std::string>& names, Diagnostics& diagnostics) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i) {
    list += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  }
  const std::string guess = node.kind() == Kind::string ? closest(node.text(), names) : "";
  diagnostics.error("E0104", "`" + path + "` must be " + list + ", found " + shown(node),
                    node.mark(), guess.empty() ? "" : "did you mean `" + guess + "`?");
}

void wrong_kind(const ConfigNode& node, const std::string& path, const char* expected,
                Diagnostics& diagnostics) {
  const std::string place = path.empty() ? "the study file" : "`" + path + "`";
  diagnostics.error("E0103", place + " must be " + expected + ", found " + shown(node), node.mark(),
                    type_help(node, expected));
}

void missing(const ConfigNode& node, const std::string& path, const char* key,
             Diagnostics& diagnostics) {
  const std::string full = path.empty() ? key : path + "." + key;
  diagnostics.error("E0101", "`" + full + "` is missing", node.mark(),
                    std::string("add `") + key + ": ...` here");
}

void check_planned(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics) {
  for (const ConfigNode::Entry& entry : node.entries()) {
    if (const PlannedKey* planned = find_planned(path, entry.key)) {
      const std::string full = path.empty() ? entry.key : path + "." + entry.key;
      diagnostics.error("E0106", "`" + full + "` is not in this version of betatune",
                        entry.key_mark, std::string(planned->help));
    }
  }
}

void check_keys(const ConfigNode& node, const std::string& path,
                const std::vector<std::string>& known, Diagnostics& diagnostics) {
  check_planned(node, path, diagnostics);
  for (const ConfigNode::Entry& entry : node.entries()) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    if (find_planned(path, entry.key) != nullptr) continue;
    if (diagnostics.dropped() > 0) {  // guesses that nobody will see
      diagnostics.error("E0102", {}, entry.key_mark);
      continue;
    }
    const std::string guess = closest(entry.key, known);
    std::string help = guess.empty() ? "" : "did you mean `" + guess + "`?";
    if (guess.empty() && known.size() <= 12) {
      for (const std::string& each : known) help += (help.empty() ? "known: " : ", ") + each;
    }
    diagnostics.error("E0102", "unknown key `" + entry.key + "`", entry.key_mark, std::move(help));
  }
}

}  // namespace read_detail

}  // namespace betatune
