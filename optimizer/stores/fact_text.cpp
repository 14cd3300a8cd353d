#include "optimizer/stores/fact_text.hpp"

#include <array>
#include <charconv>

#include "searchspaces/schema.hpp"

namespace betatune {
namespace {

/// A place in compact JSON text. Every function returns false, and the text is given up, at
/// anything that our own writer does not produce: blanks, escapes, numbers out of range.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool at_end() const { return at_ == end_; }
  bool next_is(char c) const { return at_ != end_ && *at_ == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word))
      return false;
    at_ += word.size();
    return true;
  }

  bool string(std::string_view& text) {
    if (!take('"')) return false;
    const char* first = at_;
    while (at_ != end_ && *at_ != '"') {
      const auto byte = static_cast<unsigned char>(*at_);
      // Bytes beyond ASCII would have to be checked to be UTF-8; the general way does.
      if (byte < 0x20 || byte > 0x7e || byte == '\\') return false;
      ++at_;
    }
    text = {first, static_cast<std::size_t>(at_ - first)};
    return take('"');
  }

  /// The text of a number, checked to have JSON's form.
  bool number(std::string_view& text, bool& whole) {
    const char* first = at_;
    take('-');
    const char* digits = at_;
    while (digit()) ++at_;
    if (at_ == digits || (*digits == '0' && at_ - digits > 1)) return false;
    whole = true;
    if (take('.')) {
      whole = false;
      if (!digit()) return false;
      while (digit()) ++at_;
    }
    if (next_is('e') || next_is('E')) {
      whole = false;
      ++at_;
      if (next_is('+') || next_is('-')) ++at_;
      if (!digit()) return false;
      while (digit()) ++at_;
    }
    text = {first, static_cast<std::size_t>(at_ - first)};
    // The general way takes it for the integer, which has no sign; ours is written -0.0.
    return text != "-0";
  }

  /// The text of any value, found by its brackets.
  bool raw(std::string_view& text) {
    const char* first = at_;
    int depth = 0;
    do {
      std::string_view ignored;
      if (at_ == end_) return false;
      if (*at_ == '"') {
        if (!string(ignored)) return false;
      } else if (*at_ == '{' || *at_ == '[') {
        ++depth;
        ++at_;
      } else if (depth > 0 && (*at_ == '}' || *at_ == ']')) {
        --depth;
        ++at_;
      } else if (depth == 0 && (*at_ == ',' || *at_ == '}' || *at_ == ']')) {
        return false;
      } else {
        ++at_;
      }
    } while (depth > 0 || !(at_ == end_ || *at_ == ',' || *at_ == '}' || *at_ == ']'));
    text = {first, static_cast<std::size_t>(at_ - first)};
    return true;
  }

 private:
  bool digit() const { return at_ != end_ && *at_ >= '0' && *at_ <= '9'; }

  const char* at_;
  const char* end_;
};

template <class T>
bool parse_all(std::string_view text, T& number) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc{} && end == text.data() + text.size();
}

/// Calls `value(key)` for each entry; keys must rise, as our writer's do, so none comes twice.
template <class F>
bool read_object(Cursor& cursor, F&& value) {
  if (!cursor.take('{')) return false;
  if (cursor.take('}')) return true;
  std::string_view last;
  bool first = true;
  do {
    std::string_view key;
    if (!cursor.string(key) || !cursor.take(':')) return false;
    if (!first && key <= last) return false;
    if (!value(key)) return false;
    last = key;
    first = false;
  } while (cursor.take(','));
  return cursor.take('}');
}

bool read_value(Cursor& cursor, Value& value) {
  std::string_view text;
  bool whole = false;
  if (cursor.next_is('"')) {
    if (!cursor.string(text)) return false;
    value = std::string(text);
    return true;
  }
  if (cursor.take("true")) return value = true, true;
  if (cursor.take("false")) return value = false, true;
  if (!cursor.number(text, whole)) return false;
  if (whole) {
    std::int64_t integer = 0;
    if (!parse_all(text, integer)) return false;
    value = integer;
  } else {
    double real = 0;
    if (!parse_all(text, real)) return false;
    value = real;
  }
  return true;
}

template <class T>
bool read(Cursor& cursor, T& into);

template <class T>
bool read_number(Cursor& cursor, T& into) {
  std::string_view text;
  bool whole = false;
  if (!cursor.number(text, whole)) return false;
  if constexpr (std::is_integral_v<T>) {
    return whole && parse_all(text, into);
  } else {
    return parse_all(text, into);
  }
}

template <class T>
bool read_described(Cursor& cursor, T& into) {
  using namespace schema_detail;
  constexpr std::size_t kFields = std::tuple_size_v<decltype(T::fields())>;
  std::array<bool, kFields> seen{};
  const bool fine = read_object(cursor, [&](std::string_view key) {
    std::size_t index = 0;
    bool known = false, good = false;
    const auto look = [&](const auto& field) {
      if (!known && key == field.name) {
        known = seen[index] = true;
        good = read(cursor, into.*field.at);
      }
      ++index;
    };
    std::apply([&](const auto&... field) { (look(field), ...); }, T::fields());
    return known && good;
  });
  std::size_t index = 0;
  bool complete = fine;
  const auto check = [&](const auto& field) {
    using M = typename std::decay_t<decltype(field)>::member_type;
    complete = complete && (seen[index++] || !field.required || IsOptional<M>::value);
  };
  std::apply([&](const auto&... field) { (check(field), ...); }, T::fields());
  return complete;
}

template <class T>
bool read_named(Cursor& cursor, T& into) {
  std::string_view text;
  if (!cursor.string(text)) return false;
  const auto found = from_name<T>(text);
  if (found) into = *found;
  return found.has_value();
}

template <class T>
bool read(Cursor& cursor, T& into) {
  using namespace schema_detail;
  std::string_view text;
  if constexpr (Described<T>) {
    return read_described(cursor, into);
  } else if constexpr (std::is_same_v<T, Json>) {
    if (!cursor.raw(text)) return false;
    into = Json::parse(text, nullptr, false);
    return !into.is_discarded();
  } else if constexpr (IsOptional<T>::value) {
    return read(cursor, into.emplace());
  } else if constexpr (IsVector<T>::value) {
    return false;  // once in a study: the general way is fast enough
  } else if constexpr (NamedEnum<T>) {
    return read_named(cursor, into);
  } else if constexpr (IsId<T>::value) {
    return read_number(cursor, into.n);
  } else if constexpr (std::is_same_v<T, Configuration>) {
    return read_object(cursor, [&](std::string_view key) {
      return read_value(cursor, into.emplace_hint(into.end(), key, false)->second);
    });
  } else if constexpr (std::is_same_v<T, Metrics>) {
    return read_object(cursor, [&](std::string_view key) {
      return read_number(cursor, into.emplace_hint(into.end(), key, 0)->second);
    });
  } else if constexpr (std::is_same_v<T, bool>) {
    if (cursor.take("true")) return into = true, true;
    return cursor.take("false") && (into = false, true);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return read_number(cursor, into);
  } else {
    static_assert(std::is_same_v<T, std::string>, "fact_text: a type without a rule");
    if (!cursor.string(text)) return false;
    into = text;
    return true;
  }
}

template <std::size_t I = 0>
std::optional<Fact> read_alternative(std::string_view type, std::string_view body) {
  if constexpr (I == std::variant_size_v<Fact>) {
    return std::nullopt;
  } else {
    using T = std::variant_alternative_t<I, Fact>;
    if (type != T::kType) return read_alternative<I + 1>(type, body);
    std::optional<Fact> fact(std::in_place, std::in_place_type<T>);
    Cursor cursor(body);
    if (!read(cursor, std::get<I>(*fact)) || !cursor.at_end()) return std::nullopt;
    return fact;
  }
}

}  // namespace

std::optional<Fact> read_fact_text(std::string_view type, std::string_view body) {
  return read_alternative(type, body);
}

}  // namespace betatune
