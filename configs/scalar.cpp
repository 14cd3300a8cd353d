#include "configs/scalar.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>

namespace betatune {
namespace {

using Kind = ConfigNode::Kind;

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t digits_from(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

std::size_t sign_width(std::string_view text) {
  return !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
}

bool looks_like_integer(std::string_view text) {
  const std::size_t begin = sign_width(text);
  return begin < text.size() && digits_from(text, begin) == text.size();
}

// [-+]? ( . digits | digits ( . digits? )? ) ( [eE] [-+]? digits )?
bool looks_like_real(std::string_view text) {
  std::size_t at = sign_width(text);
  const std::size_t whole_end = digits_from(text, at);
  bool any_digit = whole_end > at;
  at = whole_end;
  if (at < text.size() && text[at] == '.') {
    const std::size_t fraction_end = digits_from(text, at + 1);
    any_digit = any_digit || fraction_end > at + 1;
    at = fraction_end;
  }
  if (!any_digit) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    const std::size_t begin = at + 1 + sign_width(text.substr(at + 1));
    at = digits_from(text, begin);
    if (at == begin) return false;
  }
  return at == text.size();
}

PlainScalar bad(Kind kind, Value value, std::string problem, std::string help) {
  return {kind, std::move(value), std::move(problem), std::move(help)};
}

std::string quoted(std::string_view text) {
  return "`" + std::string(text) + "`";
}

PlainScalar integer_scalar(std::string_view text) {
  const std::size_t begin = sign_width(text);
  const std::string_view digits = text.substr(begin);
  std::int64_t number = 0;
  // from_chars takes a leading minus but no plus.
  const std::string_view signed_digits = text[0] == '+' ? digits : text;
  const auto [end, error] = std::from_chars(
      signed_digits.data(), signed_digits.data() + signed_digits.size(), number, 10);
  if (error != std::errc{}) {
    return bad(Kind::integer, std::numeric_limits<std::int64_t>::max(),
               "the integer " + quoted(text) + " does not fit 64 bits",
               "write a smaller number, or quote it to make it a string");
  }
  if (digits.size() > 1 && digits[0] == '0') {
    return bad(Kind::integer, number,
               quoted(text) + " is octal to some readers and decimal to others",
               "write `" + std::to_string(number) + "`, or quote it to make it a string");
  }
  return {Kind::integer, number, {}, {}};
}

PlainScalar based_integer(std::string_view text, int base) {
  std::int64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data() + 2, last, number, base);
  if (error == std::errc{} && end == last) return {Kind::integer, number, {}, {}};
  if (error == std::errc::result_out_of_range) {
    return bad(Kind::integer, std::numeric_limits<std::int64_t>::max(),
               "the integer " + quoted(text) + " does not fit 64 bits",
               "write a smaller number, or quote it to make it a string");
  }
  return {Kind::string, std::string(text), {}, {}};
}

PlainScalar real_scalar(std::string_view text) {
  const std::string_view digits = text[0] == '+' ? text.substr(1) : text;
  double number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{}) {
    return bad(Kind::real, std::numeric_limits<double>::max(),
               "the number " + quoted(text) + " does not fit a double",
               "the range is about 1e-308 to 1e308");
  }
  return {Kind::real, number, {}, {}};
}

}  // namespace

PlainScalar read_plain_scalar(std::string_view text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return {Kind::null, false, {}, {}};
  if (is_one_of(text, {"true", "True", "TRUE"})) return {Kind::boolean, true, {}, {}};
  if (is_one_of(text, {"false", "False", "FALSE"})) return {Kind::boolean, false, {}, {}};
  if (looks_like_integer(text)) return integer_scalar(text);
  if (text.size() > 2 && text.starts_with("0x")) return based_integer(text, 16);
  if (text.size() > 2 && text.starts_with("0o")) return based_integer(text, 8);
  if (looks_like_real(text)) return real_scalar(text);
  if (is_one_of(text.substr(sign_width(text)), {".inf", ".Inf", ".INF"}) ||
      is_one_of(text, {".nan", ".NaN", ".NAN"})) {
    return bad(Kind::real, std::numeric_limits<double>::max(),
               quoted(text) + " is not a finite number", "write a number, or quote it");
  }
  return {Kind::string, std::string(text), {}, {}};
}

}  // namespace betatune
