#include "searchspaces/expression_tokens.hpp"

#include <charconv>
#include <utility>

namespace betatune {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

Error at_column(std::size_t at, const std::string& what) {
  return Error{ErrorKind::invalid_argument, "column " + std::to_string(at + 1) + ": " + what};
}

Result<Token> Tokenizer::next() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  if (at_ == text_.size()) return Token{Token::Kind::end, at_, {}, false};
  const char c = text_[at_];
  if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
    return number();
  }
  if (is_letter(c)) return word();
  if (c == '"' || c == '\'' || c == '`') return quoted(c);
  return symbol();
}

Token Tokenizer::take(Token::Kind kind, std::size_t size) {
  Token token{kind, at_, text_.substr(at_, size), false};
  at_ += size;
  return token;
}

Result<Token> Tokenizer::number() {
  const char* first = text_.data() + at_;
  const char* last = text_.data() + text_.size();
  std::int64_t integer = 0;
  double real = 0;
  const auto whole = std::from_chars(first, last, integer);
  const auto any = std::from_chars(first, last, real);
  const bool is_whole = whole.ec == std::errc{} && whole.ptr == any.ptr;
  if (!is_whole && any.ec != std::errc{}) return at_column(at_, "this number is out of range");
  if (any.ptr != last && is_letter(*any.ptr)) {
    return at_column(at_, "expected a number; names begin with a letter");
  }
  Token token = take(Token::Kind::number, static_cast<std::size_t>(any.ptr - first));
  token.value = is_whole ? Value(integer) : Value(real);
  return token;
}

Token Tokenizer::word() {
  std::size_t size = 1;
  while (at_ + size < text_.size() && (is_letter(text_[at_ + size]) ||
                                       is_digit(text_[at_ + size]) || text_[at_ + size] == '.')) {
    ++size;
  }
  Token token = take(Token::Kind::word, size);
  token.value = std::string(token.shown);
  return token;
}

/// "text" and 'text', where a backslash takes the next character as it is; `name` without escapes.
Result<Token> Tokenizer::quoted(char quote) {
  std::string inner;
  for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
    if (text_[i] == quote) {
      if (inner.empty() && quote == '`') return at_column(at_, "expected a name between ` and `");
      Token token = take(quote == '`' ? Token::Kind::name : Token::Kind::text, i + 1 - at_);
      token.value = std::move(inner);
      return token;
    }
    if (text_[i] == '\\' && quote != '`' && i + 1 < text_.size()) ++i;
    inner += text_[i];
  }
  return at_column(at_, std::string("expected a closing ") + quote + " before the end");
}

Result<Token> Tokenizer::symbol() {
  const std::string_view two = text_.substr(at_, 2);
  const bool pair = two == "==" || two == "!=" || two == "<=" || two == ">=";
  if (!pair && std::string_view("+-*/%^<>()[],=&|!").find(text_[at_]) == std::string_view::npos) {
    return at_column(at_,
                     "expected a number, a name or an operator, found a character that no "
                     "expression has; put text in quotes");
  }
  return take(Token::Kind::symbol, pair ? 2 : 1);
}

}  // namespace betatune
