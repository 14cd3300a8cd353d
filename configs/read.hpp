#pragma once
/// Reads a described struct (see searchspaces/schema.hpp) from a ConfigNode: every problem is
/// reported with its place, unknown keys with a suggestion. Any option that a registry's maker
/// reads this way is either used or an error: nothing is accepted and ignored.

#include <chrono>
#include <string>

#include "configs/node.hpp"
#include "searchspaces/schema.hpp"

namespace betatune {

/// A length of time in a study file: "500ms", "30s", "10m", "48h", "7d".
struct Duration {
  double seconds = 0;
  auto operator<=>(const Duration&) const = default;
};
/// A size in a study file: "4MiB", "64GiB", "2GB".
struct ByteSize {
  std::uint64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};
Result<Duration> parse_duration(std::string_view text);
Result<ByteSize> parse_byte_size(std::string_view text);

namespace read_detail {
bool scalar(const ConfigNode&, const std::string& path, Diagnostics&, bool&);
bool scalar(const ConfigNode&, const std::string& path, Diagnostics&, std::int64_t&);
bool scalar(const ConfigNode&, const std::string& path, Diagnostics&, int&);
bool scalar(const ConfigNode&, const std::string& path, Diagnostics&, std::uint64_t&);
bool scalar(const ConfigNode&, const std::string& path, Diagnostics&, double&);  // integers too
bool scalar(const ConfigNode&, const std::string& path, Diagnostics&, std::string&);
bool scalar(const ConfigNode&, const std::string& path, Diagnostics&, Duration&);
bool scalar(const ConfigNode&, const std::string& path, Diagnostics&, ByteSize&);
bool scalar(const ConfigNode&, const std::string& path, Diagnostics&, Value&);
void bad_enum(const ConfigNode&, const std::string& path, const std::vector<std::string>& names,
              Diagnostics&);
void wrong_kind(const ConfigNode&, const std::string& path, const char* expected, Diagnostics&);
void missing(const ConfigNode&, const std::string& path, const char* key, Diagnostics&);
void check_keys(const ConfigNode&, const std::string& path, const std::vector<std::string>& known,
                Diagnostics&);
/// Only the keys that are reserved for later versions, for mappings with open keys.
void check_planned(const ConfigNode&, const std::string& path, Diagnostics&);
}  // namespace read_detail

template <class T>
bool read_config(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
                 T& value);

namespace read_detail {

template <Described T>
bool read_fields(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
                 T& value) {
  if (node.kind() != ConfigNode::Kind::mapping) {
    wrong_kind(node, path, "a mapping", diagnostics);
    return false;
  }
  bool fine = true;
  std::vector<std::string> known;
  const auto take = [&](const auto& field) {
    using M = typename std::decay_t<decltype(field)>::member_type;
    known.emplace_back(field.name);
    const ConfigNode* child = node.find(field.name);
    if (child == nullptr) {
      if (field.required && !schema_detail::IsOptional<M>::value) {
        missing(node, path, field.name, diagnostics);
        fine = false;
      }
      return;
    }
    const std::string child_path = path.empty() ? field.name : path + "." + field.name;
    fine = read_config(*child, child_path, diagnostics, value.*field.at) && fine;
  };
  std::apply([&](const auto&... field) { (take(field), ...); }, T::fields());
  const std::size_t before = diagnostics.problems().size();
  check_keys(node, path, known, diagnostics);
  return fine && diagnostics.problems().size() == before;
}

template <NamedEnum T>
bool read_name(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
               T& value) {
  if (node.kind() == ConfigNode::Kind::string) {
    if (const auto found = from_name<T>(node.text())) {
      value = *found;
      return true;
    }
  }
  std::vector<std::string> names;
  for (const auto& each : enum_names(T{})) names.emplace_back(each.name);
  bad_enum(node, path, names, diagnostics);
  return false;
}

template <class T>
bool read_items(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
                std::vector<T>& value) {
  if (node.kind() != ConfigNode::Kind::sequence) {
    wrong_kind(node, path, "a sequence", diagnostics);
    return false;
  }
  bool fine = true;
  for (const ConfigNode& item : node.items()) {
    T each{};
    const std::string place = path + "[" + std::to_string(value.size()) + "]";
    fine = read_config(item, place, diagnostics, each) && fine;
    value.push_back(std::move(each));
  }
  return fine;
}

/// An entry that cannot be read is left out.
template <class T>
bool read_entries(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
                  std::map<std::string, T>& value) {
  if (node.kind() != ConfigNode::Kind::mapping) {
    wrong_kind(node, path, "a mapping", diagnostics);
    return false;
  }
  bool fine = true;
  for (const auto& entry : node.entries()) {
    T each{};
    if (read_config(entry.value, path + "." + entry.key, diagnostics, each)) {
      value[entry.key] = std::move(each);
    } else {
      fine = false;
    }
  }
  return fine;
}

}  // namespace read_detail

/// Reads `node` into `value` and returns whether nothing was wrong. `path` names the place in words
/// ("trials.retry"). Values that could not be read keep their default.
template <class T>
bool read_config(const ConfigNode& node, const std::string& path, Diagnostics& diagnostics,
                 T& value) {
  using namespace schema_detail;
  if constexpr (Described<T>) {
    return read_detail::read_fields(node, path, diagnostics, value);
  } else if constexpr (IsOptional<T>::value) {
    typename T::value_type inner{};
    if (!read_config(node, path, diagnostics, inner)) return false;
    value = std::move(inner);
    return true;
  } else if constexpr (std::is_same_v<T, ConfigNode>) {
    value = node;
    return true;
  } else if constexpr (std::is_same_v<T, Json>) {
    value = node.to_json();
    return true;
  } else if constexpr (NamedEnum<T>) {
    return read_detail::read_name(node, path, diagnostics, value);
  } else if constexpr (IsVector<T>::value) {
    return read_detail::read_items(node, path, diagnostics, value);
  } else if constexpr (IsMap<T>::value) {
    return read_detail::read_entries(node, path, diagnostics, value);
  } else {
    return read_detail::scalar(node, path, diagnostics, value);
  }
}

}  // namespace betatune
