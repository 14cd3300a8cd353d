#pragma once
/// One list of fields per struct; JSON both ways, YAML, documentation tables and test generators
/// are all derived from it.
///
///   struct Reported {
///     static constexpr const char* kType = "reported";
///     TrialId trial; double loss = 0;
///     static constexpr auto fields() {
///       return std::tuple{Field{"trial", &Reported::trial, "trial id"},
///                         Field{"loss", &Reported::loss, "to be minimised"}};
///     }
///   };
///
/// std::optional members may be absent (or null); a `defaulted(...)` field may be absent too and
/// then keeps the value of a default-constructed struct; every other field must be there. Unknown
/// keys are ignored here (the wire's rule); the reader of study files reports them itself.

#include <array>
#include <cmath>
#include <concepts>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "searchspaces/ids.hpp"
#include "searchspaces/result.hpp"
#include "searchspaces/value.hpp"

namespace betatune {

template <class T, class M>
struct Field {
  using member_type = M;
  const char* name = "";
  M T::*at = nullptr;
  const char* doc = "";
  bool required = true;
};
// Clang deduces them for an aggregate from version 17 on.
template <class T, class M>
Field(const char*, M T::*) -> Field<T, M>;
template <class T, class M>
Field(const char*, M T::*, const char*) -> Field<T, M>;

template <class T, class M>
constexpr Field<T, M> defaulted(const char* name, M T::*at, const char* doc = "") {
  return {name, at, doc, false};
}

template <class T>
concept Described = requires {
  T::fields();
};

/// Enumerations opt in by `constexpr auto enum_names(E)` found by ADL: an array of
/// {value, spelling}.
template <class E>
struct EnumName {
  E value;
  const char* name;
};
template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E e) {
  enum_names(e);
};

template <NamedEnum E>
constexpr const char* to_name(E e) {
  for (const auto& each : enum_names(e)) {
    if (each.value == e) return each.name;
  }
  return "?";
}
template <NamedEnum E>
constexpr std::optional<E> from_name(std::string_view name) {
  for (const auto& each : enum_names(E{})) {
    if (name == each.name) return each.value;
  }
  return std::nullopt;
}

namespace schema_detail {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T, class A>
struct IsVector<std::vector<T, A>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};
template <class T>
struct IsId : std::false_type {};
template <class Tag>
struct IsId<Id<Tag>> : std::true_type {};

}  // namespace schema_detail

template <class T>
Json encode_json(const T& value) {
  using namespace schema_detail;
  if constexpr (Described<T>) {
    Json json = Json::object();
    const auto put = [&](const auto& field) {
      using M = typename std::decay_t<decltype(field)>::member_type;
      if constexpr (IsOptional<M>::value) {
        if ((value.*field.at).has_value()) json[field.name] = encode_json(*(value.*field.at));
      } else {
        json[field.name] = encode_json(value.*field.at);
      }
    };
    std::apply([&](const auto&... field) { (put(field), ...); }, T::fields());
    return json;
  } else if constexpr (NamedEnum<T>) {
    return to_name(value);
  } else if constexpr (IsId<T>::value) {
    return value.n;
  } else if constexpr (std::is_same_v<T, Value> || std::is_same_v<T, Configuration>) {
    return to_json(value);
  } else if constexpr (IsVector<T>::value) {
    Json json = Json::array();
    for (const auto& each : value) json.push_back(encode_json(each));
    return json;
  } else if constexpr (IsMap<T>::value) {
    Json json = Json::object();
    for (const auto& [name, each] : value) json[name] = encode_json(each);
    return json;
  } else {
    return value;  // bool, numbers, strings, Json
  }
}

/// A variant of described structs carries its alternative's kType under "type".
template <class... Ts>
Json encode_json(const std::variant<Ts...>& value) {
  return std::visit(
      [](const auto& each) {
        Json json = encode_json(each);
        json["type"] = std::decay_t<decltype(each)>::kType;
        return json;
      },
      value);
}

/// Errors: invalid_argument, beginning with the path of the offending value ("report.step: ...").
template <class T>
Result<T> decode_json(const Json& json, const std::string& path);

namespace schema_detail {

inline Error at(const std::string& path, const std::string& what) {
  return Error{ErrorKind::invalid_argument, path + ": " + what};
}

template <class T, class F>
Status decode_field(const Json& json, const std::string& path, const F& field, T& into) {
  using M = typename F::member_type;
  const auto found = json.find(field.name);
  if (found == json.end() || (found->is_null() && !std::is_same_v<M, Json>)) {
    if (!field.required || IsOptional<M>::value) return Ok{};
    return at(path + "." + field.name, "missing");
  }
  if constexpr (IsOptional<M>::value) {
    BETATUNE_TRY(into.*field.at,
                 decode_json<typename M::value_type>(*found, path + "." + field.name));
  } else {
    BETATUNE_TRY(into.*field.at, decode_json<M>(*found, path + "." + field.name));
  }
  return Ok{};
}

template <class T>
Result<T> decode_number(const Json& json, const std::string& path) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) return at(path, "expected a number");
    const double number = json.get<double>();
    if (!std::isfinite(number)) return at(path, "expected a finite number");
    return number;
  } else {
    // A float would be cut silently by get<>; unsigned values above the type's range likewise.
    if (!json.is_number_integer()) return at(path, "expected an integer");
    if (json.is_number_unsigned()) {
      const auto number = json.get<std::uint64_t>();
      if (!std::in_range<T>(number)) return at(path, "integer out of range");
      return static_cast<T>(number);
    }
    const auto number = json.get<std::int64_t>();
    if (!std::in_range<T>(number)) return at(path, "integer out of range");
    return static_cast<T>(number);
  }
}

}  // namespace schema_detail

namespace schema_detail {

template <Described T>
Result<T> decode_fields(const Json& json, const std::string& path) {
  if (!json.is_object()) return at(path, "expected an object");
  T value{};
  Status status = Ok{};
  const auto take = [&](const auto& field) {
    if (status) status = decode_field(json, path, field, value);
  };
  std::apply([&](const auto&... field) { (take(field), ...); }, T::fields());
  if (!status) return status.error();
  return value;
}

template <NamedEnum T>
Result<T> decode_name(const Json& json, const std::string& path) {
  if (json.is_string()) {
    if (const auto found = from_name<T>(json.get_ref<const std::string&>())) return *found;
  }
  std::string expected;
  for (const auto& each : enum_names(T{})) expected += std::string(" ") + each.name;
  return at(path, "expected one of:" + expected);
}

template <class T>
Result<T> decode_items(const Json& json, const std::string& path) {
  if (!json.is_array()) return at(path, "expected an array");
  T value;
  for (std::size_t i = 0; i < json.size(); ++i) {
    BETATUNE_TRY(auto each, decode_json<typename T::value_type>(
                                json[i], path + "[" + std::to_string(i) + "]"));
    value.push_back(std::move(each));
  }
  return value;
}

template <class T>
Result<T> decode_entries(const Json& json, const std::string& path) {
  if (!json.is_object()) return at(path, "expected an object");
  T value;
  for (const auto& [name, each] : json.items()) {
    BETATUNE_TRY(value[name], decode_json<typename T::mapped_type>(each, path + "." + name));
  }
  return value;
}

/// A value that says itself what is wrong with it, without its place.
template <class T>
Result<T> placed(Result<T> value, const std::string& path) {
  if (!value) return at(path, value.error().message);
  return value;
}

}  // namespace schema_detail

template <class T>
Result<T> decode_json(const Json& json, const std::string& path) {
  using namespace schema_detail;
  if constexpr (Described<T>) {
    return decode_fields<T>(json, path);
  } else if constexpr (std::is_same_v<T, Json>) {
    return json;
  } else if constexpr (NamedEnum<T>) {
    return decode_name<T>(json, path);
  } else if constexpr (IsId<T>::value) {
    BETATUNE_TRY(const std::uint64_t n, decode_number<std::uint64_t>(json, path));
    return T{n};
  } else if constexpr (std::is_same_v<T, Value>) {
    return placed(value_from_json(json), path);
  } else if constexpr (std::is_same_v<T, Configuration>) {
    return placed(configuration_from_json(json), path);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) return at(path, "expected true or false");
    return json.get<bool>();
  } else if constexpr (std::is_arithmetic_v<T>) {
    return decode_number<T>(json, path);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) return at(path, "expected a string");
    return json.get<std::string>();
  } else if constexpr (IsVector<T>::value) {
    return decode_items<T>(json, path);
  } else {
    static_assert(IsMap<T>::value, "decode_json: a type without a rule");
    return decode_entries<T>(json, path);
  }
}

/// The alternative whose kType is `type`. Errors: invalid_argument for an unknown type.
template <class Variant, std::size_t I = 0>
Result<Variant> decode_alternative(std::string_view type, const Json& json) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return Error{ErrorKind::invalid_argument, "unknown type `" + std::string(type) + "`"};
  } else {
    using T = std::variant_alternative_t<I, Variant>;
    if (type == T::kType) {
      BETATUNE_TRY(auto value, decode_json<T>(json, T::kType));
      return Variant(std::move(value));
    }
    return decode_alternative<Variant, I + 1>(type, json);
  }
}

}  // namespace betatune
