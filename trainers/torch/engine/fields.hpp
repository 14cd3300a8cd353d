#pragma once
/// Reads one flat JSON object (parameters, or the trainer's config) with defaults, ranges and
/// errors that name the key; a key that nobody asked for is an error too.

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace betatune::engine {

template <class T>
struct Choice {
  std::string_view name;
  T value;
};

class Fields {
 public:
  /// `what` one key is called in errors: "parameter".
  /// errors plugin::Failure if `json` is not an object
  Fields(const std::string& json, std::string what);
  ~Fields();
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  double real(const char* name, double fallback, double min, double max);
  /// Takes 3.0 for 3, as ordinal values may be written so.
  std::int64_t integer(const char* name, std::int64_t fallback, std::int64_t min, std::int64_t max);
  std::optional<std::int64_t> optional_integer(const char* name, std::int64_t min,
                                               std::int64_t max);
  bool boolean(const char* name, bool fallback);
  std::string text(const char* name, const std::string& fallback);
  /// A nested object, as JSON; "{}" if it is not given.
  std::string object(const char* name);
  /// The keys that begin with `prefix`, without it, as a JSON object.
  std::string with_prefix(const std::string& prefix);

  template <class T, std::size_t N>
  T choice(const char* name, T fallback, const Choice<T> (&choices)[N]) {
    std::vector<std::string_view> names;
    for (const auto& c : choices) names.push_back(c.name);
    const auto index = choice_index(name, names);
    return index ? choices[*index].value : fallback;
  }

  /// `keys` belong to `selector: value` alone. If that is not selected they are errors when given,
  /// with the way out: a parameter without effect would mislead the search. Returns `selected`.
  bool branch(const char* selector, const char* value, bool selected,
              std::initializer_list<const char*> keys);

  /// Reports the keys that nobody asked for.
  void finish() const;
  [[noreturn]] void fail(const std::string& name, const std::string& problem) const;

 private:
  const nlohmann::json* find(const std::string& name);
  std::optional<std::size_t> choice_index(const char* name,
                                          std::span<const std::string_view> names);

  std::unique_ptr<const nlohmann::json> object_;
  std::string what_;
  std::map<std::string, std::string> known_;  ///< key -> why it has no effect ("" if it has)
};

}  // namespace betatune::engine
